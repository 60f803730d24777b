import DbxServerStores
package import DbxWire
import Synchronization

/// Takes the bytes of one upload in order; one call at a time, from any thread. Dropped without `finish`, it leaves
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
    package func receive(_ bytes: [UInt8]) throws(Problem) {
        try server.answering {
            try state.withLock { state in
                guard let staged = state.staged else { throw Self.ended }
                state.received += Int64(bytes.count)
                guard state.received <= upload.storedBytes else {
                    throw Problem(kind: .payloadTooLarge, detail: "The upload is longer than was signed.")
                }
                try staged.append(bytes)
            }
        }
    }

    /// Checks length and hash, makes the block durable and the device's receipt for it.
    package func finish() throws(Problem) {
        try server.answering {
            try state.withLock { state in
                guard let staged = state.staged else { throw Self.ended }
                state.staged = nil
                try Self.promote(staged, to: key, length: upload.storedBytes)
            }
            try server.completeUpload(upload)
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
