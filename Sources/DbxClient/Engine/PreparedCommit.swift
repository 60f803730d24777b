import DbxLocalStore
import DbxSync
import DbxWire

/// A planned commit in the form in which it is sent, but for the cursor, which is that of the moment when it is saved.
struct PreparedCommit {
    let covered: CoveredRows
    private let request: CommitRequest
    private let bodyWithoutCursor: [UInt8]
    private let coveredBytes: [UInt8]

    init(_ planned: PlannedCommit) {
        var request = planned.request
        request.cursor = nil
        self.request = request
        covered = planned.covered
        bodyWithoutCursor = PackedCommit.encodeWithoutCursor(request)
        coveredBytes = planned.covered.packed
    }

    func save(in store: LocalStore) throws(StoreError) -> (LocalStore.InFlightCommit, CommitRequest) {
        let cursor = try store.meta(SyncMeta.cursor).map { String(decoding: $0, as: UTF8.self) }
        var request = request
        request.cursor = cursor
        let commit = LocalStore.InFlightCommit(
            id: request.id, body: PackedCommit.body(bodyWithoutCursor, cursor: cursor), covered: coveredBytes)
        try store.saveCommit(commit)
        return (commit, request)
    }
}
