package import DbxModel
package import DbxWire

/// A PUT to a signed URL as it arrived: everything that was signed, and the length the sender announces.
package struct IncomingUpload: Sendable {
    package var method: String
    package var upload: UploadID
    /// The query of the URL, percent-decoded.
    package var query: [String: String]
    /// Header names in lower case.
    package var headers: [String: String]
    package var contentLength: Int64?

    package init(
        method: String, upload: UploadID, query: [String: String], headers: [String: String], contentLength: Int64?
    ) {
        self.method = method
        self.upload = upload
        self.query = query
        self.headers = headers
        self.contentLength = contentLength
    }
}

extension Server {
    package func requestUploads(
        _ caller: Caller, namespace: NamespaceID, _ request: UploadRequest
    ) throws(Problem) -> UploadResponse { fatalError() }

    /// Checks the signature and opens the place for the bytes. Every check that needs no bytes is made here.
    package func beginUpload(_ upload: IncomingUpload) throws(Problem) -> UploadReceiver { fatalError() }

    /// The stored bytes of a block that the namespace has.
    package func readBlock(
        _ caller: Caller, namespace: NamespaceID, block: BlockID
    ) throws(Problem) -> StoredBlock { fatalError() }
}

/// Takes the bytes of one upload in order; one call at a time, from any thread. Dropped without `finish`, it leaves nothing.
package final class UploadReceiver: Sendable {
    /// Appends; `payload-too-large` beyond the granted length.
    package func receive(_ bytes: [UInt8]) throws(Problem) { fatalError() }

    /// Checks length and hash, makes the block durable and the device's receipt for it.
    package func finish() throws(Problem) { fatalError() }

    package func cancel() { fatalError() }
    init() {}
}

/// One stored block, open for reading from any thread.
package struct StoredBlock: Sendable {
    package let id: BlockID
    package let bytes: Int64

    /// Exactly `count` bytes from `offset`; both within `bytes`.
    package func read(offset: Int64, count: Int) throws(Problem) -> [UInt8] { fatalError() }
}
