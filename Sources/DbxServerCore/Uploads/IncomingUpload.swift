package import DbxModel

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
