package import DbxModel
import DbxServerStores
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
    package func commit(_ commit: SubmittedCommit) throws(Problem) -> CommitResult {
        try self.commit([commit])[0].get()
    }

    /// Applies several commits in order, each wholly or not at all, with one wait for the disk. Answers in order; none
    /// is returned before all are durable.
    package func commit(_ commits: [SubmittedCommit]) -> [Result<CommitResult, Problem>] {
        let now = time.now()
        let sent = outbox.takePublished()
        let signer = cursorSigner
        let bodies: [(any MetadataTransaction) throws -> CommitApplier.Answer] = commits.map { commit in
            { rows in try CommitApplier(rows: rows, now: now, signer: signer).apply(commit) }
        }
        do {
            let results = try metadata.writeBatch(bodies) { rows in
                for notice in sent { try rows.deleteNotice(notice) }
            }
            publish(
                zip(commits, results).compactMap { commit, result in
                    guard case .success(let answer) = result, !answer.isRepeated else { return nil }
                    return HeadRecord(namespace: commit.namespace, seq: answer.result.seq)
                })
            return results.map { $0.map(\.result).mapError(refusal) }
        } catch {
            outbox.published(sent)
            let problem = problem(from: error)
            return commits.map { _ in .failure(problem) }
        }
    }

    private func publish(_ notices: [HeadRecord]) {
        events.publish(notices.map(ChangeNotice.init))
        outbox.published(notices)
    }
}
