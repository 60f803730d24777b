import Glibc

/// An error number of the operating system, as in errno(3).
package struct Errno: RawRepresentable, Hashable, Sendable, Error {
    package let rawValue: Int32

    package init(rawValue: Int32) { self.rawValue = rawValue }

    /// The calling thread's `errno`; only meaningful right after a call that failed.
    package static var current: Errno { Errno(rawValue: errno) }

    package static let notPermitted = Errno(rawValue: EPERM)
    package static let noSuchFile = Errno(rawValue: ENOENT)
    package static let interrupted = Errno(rawValue: EINTR)
    package static let ioError = Errno(rawValue: EIO)
    package static let noSuchDevice = Errno(rawValue: ENXIO)
    package static let argumentListTooLong = Errno(rawValue: E2BIG)
    package static let badFileDescriptor = Errno(rawValue: EBADF)
    package static let wouldBlock = Errno(rawValue: EAGAIN)
    package static let outOfMemory = Errno(rawValue: ENOMEM)
    package static let accessDenied = Errno(rawValue: EACCES)
    package static let busy = Errno(rawValue: EBUSY)
    package static let fileExists = Errno(rawValue: EEXIST)
    package static let crossDevice = Errno(rawValue: EXDEV)
    package static let notDirectory = Errno(rawValue: ENOTDIR)
    package static let isDirectory = Errno(rawValue: EISDIR)
    package static let invalidArgument = Errno(rawValue: EINVAL)
    package static let tooManyOpenFiles = Errno(rawValue: EMFILE)
    package static let fileTooLarge = Errno(rawValue: EFBIG)
    package static let noSpace = Errno(rawValue: ENOSPC)
    package static let readOnly = Errno(rawValue: EROFS)
    package static let tooManyLinks = Errno(rawValue: EMLINK)
    package static let brokenPipe = Errno(rawValue: EPIPE)
    package static let outOfRange = Errno(rawValue: ERANGE)
    package static let nameTooLong = Errno(rawValue: ENAMETOOLONG)
    package static let notImplemented = Errno(rawValue: ENOSYS)
    package static let notEmpty = Errno(rawValue: ENOTEMPTY)
    package static let symlinkLoop = Errno(rawValue: ELOOP)
    package static let noData = Errno(rawValue: ENODATA)
    package static let valueTooLarge = Errno(rawValue: EOVERFLOW)
    package static let notSupported = Errno(rawValue: EOPNOTSUPP)
    package static let badMessage = Errno(rawValue: EBADMSG)
    package static let remote = Errno(rawValue: EREMOTEIO)
    package static let connectionRefused = Errno(rawValue: ECONNREFUSED)
    package static let timedOut = Errno(rawValue: ETIMEDOUT)
    package static let hostDown = Errno(rawValue: EHOSTDOWN)
    package static let stale = Errno(rawValue: ESTALE)
    package static let quotaExceeded = Errno(rawValue: EDQUOT)
    package static let canceled = Errno(rawValue: ECANCELED)
}

extension Errno: CustomStringConvertible {
    /// The C library's text; glibc keeps its buffer per thread.
    package var description: String { unsafe String(cString: strerror(rawValue)) }
}

/// Runs one system call that answers -1 and sets `errno` when it fails; a call that a signal interrupted is made again.
package func systemCall<Answer: SignedInteger>(_ call: () -> Answer) throws(Errno) -> Answer {
    while true {
        let answer = call()
        if answer >= 0 { return answer }
        let code = Errno.current
        if code != .interrupted { throw code }
    }
}
