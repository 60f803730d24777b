package import CurlHTTP
package import DbxModel
package import DbxWire

/// The server as the client sees it. Every call blocks until it is answered, has failed, or `cancel` was cancelled;
/// none is retried in here. All are safe to repeat. May be called from any number of threads at once.
package protocol DbxAPI: Sendable {
    /// Whether a dbxfs server answers at all; within 5 seconds.
    func health(cancel: CancelToken?) throws(APIError)
    /// The only call that sends no token.
    func login(_ request: LoginRequest) throws(APIError) -> LoginResponse
    /// Ends the token.
    func logout() throws(APIError)
    func devices() throws(APIError) -> [DeviceRow]
    func revoke(_ device: DeviceID) throws(APIError)
    func session(cancel: CancelToken?) throws(APIError) -> SessionResponse

    /// One page of what changed behind `cursor`; from the beginning when nil.
    func changes(
        in namespace: NamespaceID, after cursor: String?, limit: Int, cancel: CancelToken?
    ) throws(APIError) -> ReceivedPage
    /// `body` is an encoded `CommitRequest`, sent byte for byte: a repeated commit must not differ.
    func commit(in namespace: NamespaceID, body: [UInt8], cancel: CancelToken?) throws(APIError) -> CommitResult
    /// One page of a directory, in name order.
    func listing(
        in namespace: NamespaceID, of directory: NodeID, _ request: ListingRequest, cancel: CancelToken?
    ) throws(APIError) -> ListingPage
    /// At most `NodesPage.maximumIDs`; those that do not exist are left out. The answer is not older than the cursor.
    func nodes(
        _ ids: [NodeID], in namespace: NamespaceID, cursor: String?, cancel: CancelToken?
    ) throws(APIError) -> NodesPage

    /// At most `UploadRequest.maximumBlocks`; one grant each, in order.
    func requestUploads(
        in namespace: NamespaceID, _ blocks: [OfferedBlock], cancel: CancelToken?
    ) throws(APIError) -> [UploadGrant]
    /// Stored forms of granted blocks, within `PackResponse`'s numbers; for each whether it is durable there now. Where not,
    /// `putUpload` of it alone tells why.
    func storePack(
        in namespace: NamespaceID, _ blocks: [[UInt8]], cancel: CancelToken?
    ) throws(APIError) -> [Bool]
    func putUpload(_ upload: SignedUpload, bytes: [UInt8], cancel: CancelToken?) throws(APIError)
    /// The stored form: exactly `storedBytes` of it, or an error. What it holds is for the caller to verify.
    func block(
        _ block: BlockID, in namespace: NamespaceID, storedBytes: Int64, cancel: CancelToken?
    ) throws(APIError) -> [UInt8]
    /// The given bytes of the stored form, and no others, or an error. `range` is not empty and lies in it.
    func blockRange(
        _ range: Range<Int>, of block: BlockID, in namespace: NamespaceID, storedBytes: Int64, cancel: CancelToken?
    ) throws(APIError) -> [UInt8]
    /// Many small blocks, at most `BlocksRequest`'s number and bytes. `receive` is called on this thread for each as it
    /// arrives, in order, with its place in `blocks`, and its stored form or nil where only asking for it alone says why
    /// it cannot be had. After an error what was received counts.
    func blocks(
        _ blocks: [WantedBlock], in namespace: NamespaceID, cancel: CancelToken?,
        receive: (Int, [UInt8]?) -> Void
    ) throws(APIError)

    /// Receives server-sent events until the stream breaks, 45 seconds pass without a byte, or `receive` says false.
    /// Returns normally only when the server ended the stream or `receive` said so.
    func events(cancel: CancelToken?, receive: (StreamedEvent) -> Bool) throws(APIError)
    /// Waits on the server up to `timeoutSeconds` for a head beyond `after` in any namespace.
    func poll(after: [NamespaceID: Seq], timeoutSeconds: Int, cancel: CancelToken?) throws(APIError) -> PollResponse
}

/// A block to be read, and the length of its stored form.
package struct WantedBlock: Hashable, Sendable {
    package var id: BlockID
    package var storedBytes: Int64

    package init(id: BlockID, storedBytes: Int64) {
        self.id = id
        self.storedBytes = storedBytes
    }
}

/// Which page of a listing, and what of it.
package struct ListingRequest: Hashable, Sendable {
    /// `next` of the page before; nil: from the beginning.
    package var after: String?
    package var limit: Int
    /// The answer is not older.
    package var cursor: String?
    /// Whether the files' segments and blocks come too.
    package var content: Bool

    package init(after: String? = nil, limit: Int, cursor: String? = nil, content: Bool = false) {
        self.after = after
        self.limit = limit
        self.cursor = cursor
        self.content = content
    }
}

/// A page together with the bytes it came as, which are what is staged.
package struct ReceivedPage: Sendable {
    package var page: ChangesPage
    package var body: [UInt8]

    package init(page: ChangesPage, body: [UInt8]) {
        self.page = page
        self.body = body
    }
}

/// What arrives on the event stream.
package enum StreamedEvent: Hashable, Sendable {
    /// The stream is open; sent once, first.
    case opened
    case change(ChangeNotice)
    /// The server is alive.
    case heartbeat
}

/// Hears of every request of an API: how connectivity, rates and counters are known without asking. Called on the
/// requesting threads; must not wait.
package protocol APIObserver: Sendable {
    func requestWillBeSent()
    /// The server has been silent for two seconds while it owed an answer.
    func serverIsSilent()
    /// Some dbxfs server answered, with success or problem details.
    func serverAnswered()
    func requestFailed(_ error: APIError)
}
