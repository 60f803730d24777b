import DbxLocalStore
import DbxModel
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

    /// `cursor`: the one that the answer to the commit before brought, which may not be settled yet.
    func save(in store: LocalStore, cursor: String?) throws(StoreError) -> SavedCommit {
        let known = try store.meta(SyncMeta.cursor).map { String(decoding: $0, as: UTF8.self) }
        var request = request
        request.cursor = cursor ?? known
        let body = PackedCommit.body(bodyWithoutCursor, cursor: request.cursor)
        try store.saveCommit(LocalStore.InFlightCommit(id: request.id, body: body, covered: coveredBytes))
        return SavedCommit(id: request.id, body: body, request: request, covered: covered)
    }
}

/// A commit that is sent until it is answered and settled.
struct SavedCommit {
    let id: CommitID
    let body: [UInt8]
    let request: CommitRequest
    let covered: CoveredRows
}
