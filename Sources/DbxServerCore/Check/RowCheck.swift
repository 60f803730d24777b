import DbxModel
import DbxServerStores

/// Holds all rows against each other, in one snapshot.
struct RowCheck {
    let rows: any MetadataTransaction

    /// What rows say that cannot be derived from others is beyond repair.
    private static let beyondRepair: Set<ConsistencyStatements> = [
        .rowsBeyondTheJournal, .gapsInTheJournal, .headsBesideTheJournal, .treesWithoutRoot, .contentsOfNothing,
        .referencesToUnknownBlocks, .directoriesWithSeveralNames,
    ]

    func run(_ report: inout CheckReport) throws {
        for contradiction in try rows.contradictions() {
            let text = "\(contradiction.count) \(contradiction.what.description)"
            if Self.beyondRepair.contains(contradiction.what) {
                report.beyondRepair.append(text)
            } else {
                report.problems.append(text)
            }
        }
        for head in try rows.heads() {
            if let seq = try brokenChain(of: head.namespace) {
                report.beyondRepair.append("the journal of tree \(head.namespace) is not what it was at commit \(seq)")
            }
            let references = try rows.segmentReferences(in: head.namespace)
            if references.unreadable > 0 {
                report.beyondRepair.append("\(references.unreadable) contents that make no sense")
            }
            if !references.wrong.isEmpty {
                report.problems.append("\(references.wrong.count) contents with other references than their blocks")
            }
        }
    }

    /// The first commit at which the hash over all commits is another one.
    private func brokenChain(of namespace: NamespaceID) throws -> Seq? {
        var (last, chain) = (Seq.zero, CommitChain.start)
        while true {
            let page = try rows.commits(in: namespace, after: last, limit: 1_000)
            guard let end = page.last else { break }
            for commit in page {
                chain = CommitChain.next(after: chain, seq: commit.seq, commit: commit.id, digest: commit.digest)
                if commit.chain != chain { return commit.seq }
            }
            last = end.seq
        }
        return try rows.namespace(namespace)?.chain == chain ? nil : last
    }
}
