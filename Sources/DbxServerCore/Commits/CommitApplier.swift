import DbxModel
import DbxServerStores
import DbxWire

/// Applies one commit in one transaction: wholly, or not at all by throwing a `Problem` (DESIGN §3, Push).
struct CommitApplier {
    let rows: any MetadataTransaction
    let now: Timestamp

    struct Answer {
        let result: CommitResult
        /// The commit had been applied before, and this changed nothing.
        let isRepeated: Bool
    }

    func apply(_ commit: SubmittedCommit) throws -> Answer {
        try AccessPolicy.check(commit.caller, .write, in: commit.namespace, rows)
        if let earlier = try rows.commit(commit.request.id, in: commit.namespace) {
            return Answer(result: try answer(of: earlier, to: commit), isRepeated: true)
        }
        try CommitShape.check(commit.request)
        guard let namespace = try rows.takeSeq(in: commit.namespace) else {
            throw StoreError.corrupt("namespace \(commit.namespace) has members and no row")
        }
        let draft = CommitDraft(commit, namespace: namespace, rows: rows, now: now)
        try draft.checkBases()
        try draft.bringBlocks()
        try draft.applyNodes()
        try draft.applyEntries()
        try draft.endUnlinkedNodes()
        try draft.applyDirectoryTimes()
        try draft.checkTree()
        try draft.checkQuota()
        let unpinned = try draft.write()
        return Answer(result: try record(commit, draft, unpinned: unpinned), isRepeated: false)
    }

    /// The first answer, again: the client may not have got it.
    private func answer(of earlier: CommitRecord, to commit: SubmittedCommit) throws -> CommitResult {
        guard earlier.digest == commit.digest else {
            throw Problem(
                kind: .commitIDReused, detail: "Commit \(earlier.id) was answered for another body: draw a new id.")
        }
        return CommitResult(
            seq: earlier.seq, quota: Quota(usedBytes: earlier.usedBytes, limitBytes: earlier.limitBytes))
    }

    /// Journal, hash chain and outbox.
    private func record(_ commit: SubmittedCommit, _ draft: CommitDraft, unpinned: Int64) throws -> CommitResult {
        let namespace = draft.namespace
        let chain = CommitChain.next(
            after: namespace.chain, seq: draft.seq, commit: commit.request.id, digest: commit.digest)
        try rows.insert(
            CommitRecord(
                seq: draft.seq, id: commit.request.id, digest: commit.digest, chain: chain,
                device: commit.caller.device, committedAt: now, usedBytes: draft.usedBytes,
                limitBytes: namespace.limitBytes),
            in: namespace.id)
        try rows.finishCommit(
            in: namespace.id, chain: chain, usedBytes: draft.usedBytes,
            pinnedBytes: max(0, namespace.pinnedBytes - unpinned))
        try rows.insertNotice(HeadRecord(namespace: namespace.id, seq: draft.seq))
        return CommitResult(
            seq: draft.seq, quota: Quota(usedBytes: draft.usedBytes, limitBytes: namespace.limitBytes))
    }
}
