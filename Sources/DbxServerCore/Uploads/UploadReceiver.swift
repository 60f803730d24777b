import DbxServerStores
package import DbxWire
import Synchronization

/// An upload whose bytes have become a durable object. It counts once the server has confirmed it.
package struct StoredUpload: Sendable {
    let upload: UploadRecord
}

/// Takes the bytes of one upload in order; one call at a time, from any thread. Dropped without `store`, it leaves
/// nothing. Its lock only guards against misuse: calls do not overlap.
package final class UploadReceiver: Sendable {
    private struct State {
        var staged: (any StagedObject)?
        var received: Int64 = 0
    }

    private let server: Server
    private let upload: UploadRecord
    private let key: ObjectKey
    private let state: Mutex<State>

    init(server: Server, upload: UploadRecord, key: ObjectKey, staged: sending any StagedObject) {
        self.server = server
        self.upload = upload
        self.key = key
        state = Mutex(State(staged: staged))
    }

    /// Appends; `payload-too-large` beyond the granted length.
    package func receive(_ bytes: RawSpan) throws(Problem) {
        // The pointer is used only inside the closure: a span is not captured.
        unsafe try bytes.withUnsafeBytes { bytes throws(Problem) in
            try server.answering {
                try state.withLock { state in
                    guard let staged = state.staged else { throw Self.ended }
                    state.received += Int64(bytes.count)
                    guard state.received <= upload.storedBytes else {
                        throw Problem(kind: .payloadTooLarge, detail: "The upload is longer than was signed.")
                    }
                    unsafe try staged.append(bytes.bytes)
                }
            }
        }
    }

    /// Checks length and hash and makes the block durable. The device has no receipt before `Server.confirm`.
    package func store() throws(Problem) -> StoredUpload {
        try server.answering {
            try state.withLock { state in
                guard let staged = state.staged else { throw Self.ended }
                state.staged = nil
                try Self.promote(staged, to: key, length: upload.storedBytes)
            }
            return StoredUpload(upload: upload)
        }
    }

    package func cancel() {
        state.withLock { state in
            state.staged?.discard()
            state.staged = nil
        }
    }

    private static func promote(_ staged: any StagedObject, to key: ObjectKey, length: Int64) throws {
        do throws(StagingError) {
            try staged.promote(to: key, length: length)
        } catch {
            switch error {
            case .wrongLength: throw Problem.badRequest("The upload is shorter than was signed.")
            case .wrongHash: throw Problem.badRequest("The upload's SHA-256 is not the block's id.")
            case .store(let error): throw error
            }
        }
    }

    private static let ended = Problem.badRequest("The upload has ended.")
}
