import DbxModel
import DbxServerStores
import DbxWire

/// Applies one commit in one transaction: wholly, or not at all by throwing a `Problem` (DESIGN §3, Push).
struct CommitApplier {
    let rows: any MetadataTransaction
    let now: Timestamp
    let signer: Signer

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
        let cursor = try cursor(of: commit)
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
        return Answer(result: try record(commit, draft, cursor, unpinned: unpinned), isRepeated: false)
    }

    /// Bases are seqs of one history: in another one the same seq means something else.
    private func cursor(of commit: SubmittedCommit) throws -> Cursor? {
        guard let text = commit.request.cursor, let namespace = try rows.namespace(commit.namespace) else { return nil }
        return try CursorCheck(rows: rows, namespace: namespace, signer: signer).position(text)
    }

    /// Where the client's cursor stood, knowing of the commit.
    private func advanced(_ cursor: Cursor?, to seq: Seq, _ chain: [UInt8]) -> String? {
        guard var cursor, cursor.known < seq else { return nil }
        (cursor.known, cursor.chain) = (seq, chain)
        return cursor.text(signer)
    }

    /// The first answer, again: the client may not have got it.
    private func answer(of earlier: CommitRecord, to commit: SubmittedCommit) throws -> CommitResult {
        guard earlier.digest == commit.digest else {
            throw Problem(
                kind: .commitIDReused, detail: "Commit \(earlier.id) was answered for another body: draw a new id.")
        }
        return CommitResult(
            seq: earlier.seq, quota: Quota(usedBytes: earlier.usedBytes, limitBytes: earlier.limitBytes),
            cursor: advanced(
                commit.request.cursor.flatMap { Cursor(text: $0, signer) }, to: earlier.seq, earlier.chain))
    }

    /// Journal, hash chain and outbox.
    private func record(
        _ commit: SubmittedCommit, _ draft: CommitDraft, _ cursor: Cursor?, unpinned: Int64
    ) throws -> CommitResult {
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
            seq: draft.seq, quota: Quota(usedBytes: draft.usedBytes, limitBytes: namespace.limitBytes),
            cursor: advanced(cursor, to: draft.seq, chain))
    }
}
