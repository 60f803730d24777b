import DbxClientAPI
import DbxLocalStore
import DbxModel
import DbxSync
import DbxWire
import Logging

extension SyncLoop {
    /// The cursor is too old, or of a server whose data were put back to an older state: what is known is compared anew,
    /// the local work stays, and what the server has lost goes up again.
    func beginAnew() throws {
        let root = try store { store throws(StoreError) in try store.node(InodeNumber.root)?.id }
        guard let root else { return }
        let (common, page) = try beginning(of: root)
        note(
            common.isMended
                ? "The server's data were damaged and repaired: all folders are compared anew"
                : "The server does not know any more where this computer stood: all folders are compared anew")
        var supplement: PullSupplement?
        while true {
            var missing: Set<NodeID> = []
            var losses: [LostVersion] = []
            let done = try parts.shared.withStore { store in
                try recording(in: store) {
                    var applier = makeApplier(store, [:])
                    missing = try applier.startOver(at: page, common, supplement: supplement)
                    losses = applier.losses
                    return applier
                }
            }
            if missing.isEmpty {
                finishBeginning(at: page.seq, done, losses)
                return
            }
            supplement = try parts.api.supplement(
                missing, in: parts.namespace, cursor: page.cursor, cancel: cancel)
        }
    }

    private func finishBeginning(at head: Seq, _ done: Applied, _ losses: [LostVersion]) {
        (knownHead, noticedHead) = (head, head)
        uploads?.cancelAll()
        uploaded = [:]
        refusedRows = nil
        held.releaseAll()
        for loss in losses { parts.log.error("\(loss.text)") }
        applied(done)
        engine.relisted()
    }

    /// How far the server's history is known here, and where it stands now. Its data may be put back once more between two
    /// questions: the answers are of one history where the last one is as it was.
    private func beginning(of root: NodeID) throws -> (CommonHistory, ListingPage) {
        while true {
            let histories = try store { store throws(StoreError) in try store.histories() }
            let common = try CommonHistory.find(among: histories, ask: damage(since:))
            let page = try parts.api.listing(in: parts.namespace, of: root, ListingRequest(limit: 1), cancel: cancel)
            guard let cursor = histories.first(where: { $0.known == common.seq })?.cursor else { return (common, page) }
            if try damage(since: String(decoding: cursor, as: UTF8.self)) == common.isMended { return (common, page) }
        }
    }

    /// Whether the server's data were damaged since the cursor; nil: it is not of the server's history.
    private func damage(since cursor: String) throws(APIError) -> Bool? {
        do throws(APIError) {
            _ = try parts.api.changes(in: parts.namespace, after: cursor, limit: 1, cancel: cancel)
            return false
        } catch {
            guard error.problem?.kind == .cursorGone else { throw error }
            return error.problem?.common.map { _ in error.problem?.mended ?? false }
        }
    }

    /// Asks what the server has of files that were to be sent again and turned out not to be here as a whole.
    func giveUpLost() throws {
        while let number = lostUploads.min() {
            let known = try store { store throws(StoreError) in
                (
                    try store.node(number)?.id,
                    try store.meta(SyncMeta.cursor).map { String(decoding: $0, as: UTF8.self) }
                )
            }
            if let id = known.0 {
                let answer = try parts.api.supplement([id], in: parts.namespace, cursor: known.1, cancel: cancel)
                var losses: [LostVersion] = []
                let done = try parts.shared.withStore { store in
                    try recording(in: store) {
                        var applier = makeApplier(store, [:])
                        try applier.giveUp(number, answer)
                        losses = applier.losses
                        return applier
                    }
                }
                for loss in losses { parts.log.error("\(loss.text)") }
                applied(done)
            }
            lostUploads.remove(number)
        }
    }
}
