package import DbxClientAPI
package import DbxContent
package import DbxLocalStore

/// Why a file's content did not go up. What did reach the server need not be sent again.
package enum UploadFailure: Error, Hashable, Sendable {
    case api(APIError)
    case local(StoreError)
    /// This account may only read, or its keys are unusable.
    case keys(KeyringError)
    /// A block did not decode to what went in; nothing of it was sent.
    case block(BlockError)
    /// The server has lost it, and not all of it is here.
    case lost
    case cancelled
}

extension UploadFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .api(let error): error.description
        case .local(let error): error.description
        case .keys(.readOnly): "this account may only read here"
        case .keys(let error): "the keys of this account cannot be used (\(error))"
        case .block(let error): "the data could not be made into a block that reads back (\(error))"
        case .lost: "the server has lost what was here only in part"
        case .cancelled: "cancelled"
        }
    }
}
