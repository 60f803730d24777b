import DbxModel
import DbxServerStores
import DbxWire

/// Whether the server's history is still the one that a cursor comes from.
struct CursorCheck {
    let rows: any MetadataTransaction
    let namespace: NamespaceRecord
    let signer: Signer

    /// The cursor, if what it knows has happened here too: else somebody has put back an older state of the data.
    func position(_ text: String) throws -> Cursor {
        guard let cursor = Cursor(text: text, signer), cursor.namespace == namespace.id else {
            throw Problem.badRequest("The cursor is none that this server gave out for this namespace.")
        }
        let hasHappened = try cursor.known <= namespace.head && chain(at: cursor.known) == cursor.chain
        guard cursor.epoch == namespace.epoch, hasHappened, cursor.seq <= cursor.known else {
            throw try gone(
                cursor, common: hasHappened, "The server's history differs from what the cursor knows: list again.")
        }
        return cursor
    }

    /// The same of one from which changes can be told.
    func start(_ text: String) throws -> Cursor {
        let cursor = try position(text)
        guard max(cursor.seq, cursor.tombstonesAfter) >= namespace.floor else {
            throw try gone(cursor, common: true, "What has been removed since the cursor is forgotten: list again.")
        }
        return cursor
    }

    private func gone(_ cursor: Cursor, common: Bool, _ detail: String) throws -> Problem {
        var problem = Problem(kind: .cursorGone, detail: detail)
        guard common else { return problem }
        problem.common = cursor.known
        // A repair names what it mended in commits of the server's own; what damage took away nobody knows.
        problem.mended = try rows.ownCommits(in: namespace.id, after: cursor.known) > 0 ? true : nil
        return problem
    }

    func chain(at seq: Seq) throws -> [UInt8] {
        if seq == .zero { return CommitChain.start }
        if seq == namespace.head { return namespace.chain }
        guard let commit = try rows.commit(at: seq, in: namespace.id) else {
            throw StoreError.corrupt("commit \(seq) of namespace \(namespace.id) is missing")
        }
        return commit.chain
    }
}
