import DbxLocalStore
import DbxSystem

/// The one map from failures to what a program sees.
extension Errno {
    /// A rule of POSIX is an `Errno` already; the store's failures become one here.
    init(_ failure: any Error) {
        switch failure {
        case let errno as Errno: self = errno
        case let failure as StoreError: self = failure.errno
        default: self = .ioError
        }
    }
}

extension StoreError {
    var errno: Errno {
        switch self {
        case .noSpace: .noSpace
        case .nameTaken: .fileExists
        case .notFound: .noSuchFile
        case .io(.noSpace): .noSpace
        case .io(.readOnly): .readOnly
        case .io(.quotaExceeded): .quotaExceeded
        case .inUse, .tooNew, .corrupt, .io, .database: .ioError
        }
    }
}
