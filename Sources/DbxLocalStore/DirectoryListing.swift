/// Makes more of a directory known that is known in part; implemented by threads that ask the server.
package protocol DirectoryListing: Sendable {
    /// Brings the next page of the directory's listing, unless all of it is known. `completion` is called exactly once, from
    /// any thread, possibly before this returns, never with a lock held: when more is known, or with the reason why not.
    /// Requests for one directory are merged.
    @discardableResult
    func list(
        _ directory: InodeNumber, completion: @escaping @Sendable (Result<Void, FetchFailure>) -> Void
    ) -> FetchToken

    /// Ends one request early: its completion is called with `cancelled` unless it was called already.
    func cancel(_ token: FetchToken)
}
