package import DbxModel
package import DbxWire

/// A commit as it arrived: `digest` is the SHA-256 of the request's body.
package struct SubmittedCommit: Sendable {
    package let caller: Caller
    package let namespace: NamespaceID
    package let request: CommitRequest
    package let digest: [UInt8]

    package init(caller: Caller, namespace: NamespaceID, request: CommitRequest, digest: [UInt8]) {
        self.caller = caller
        self.namespace = namespace
        self.request = request
        self.digest = digest
    }
}

extension Server {
    /// One page of at most about `limit` rows (server's choice when nil) behind `cursor`.
    package func changes(
        _ caller: Caller, namespace: NamespaceID, cursor: String?, limit: Int?
    ) throws(Problem) -> ChangesPage { fatalError() }

    package func commit(_ commit: SubmittedCommit) throws(Problem) -> CommitResult {
        try self.commit([commit])[0].get()
    }

    /// Applies several commits in order, each wholly or not at all, with one wait for the disk. Answers in order; none
    /// is returned before all are durable.
    package func commit(_ commits: [SubmittedCommit]) -> [Result<CommitResult, Problem>] { fatalError() }

    package func listing(
        _ caller: Caller, namespace: NamespaceID, node: NodeID, after: String?, limit: Int?
    ) throws(Problem) -> ListingPage { fatalError() }

    package func revisions(
        _ caller: Caller, namespace: NamespaceID, node: NodeID, before: Seq?, limit: Int?
    ) throws(Problem) -> RevisionsPage { fatalError() }

    package func quota(_ caller: Caller, namespace: NamespaceID) throws(Problem) -> Quota { fatalError() }

    /// For the long poll: the heads of the caller's namespaces that have moved since `after` (an `EventPosition`'s
    /// text; all of them when nil).
    package func heads(_ caller: Caller, after: String?) throws(Problem) -> [ChangeNotice] { fatalError() }

    /// Notices of the caller's namespaces from now on. Subscribe first, then ask `heads`, and nothing is missed.
    package func subscribe(
        _ caller: Caller, _ receive: @escaping @Sendable (EventHub.Event) -> Void
    ) throws(Problem) -> EventSubscription { fatalError() }
}
