import DbxClientAPI
import DbxLocalStore
import DbxModel
import DbxSync
import DbxTransfer
import DbxWire

/// What becomes of a commit that the server does not take.
extension SyncLoop {
    func refused(
        _ error: APIError, _ problem: Problem, _ request: CommitRequest, _ covered: CoveredRows
    ) {
        let contents = covered.nodes.filter { $0.content != nil }
        switch problem.kind {
        case .conflict:
            mustPull = true
            dropUploads(of: (problem.nodes ?? []).map(\.id))
            ask(about: RefusedRows(problem, upTo: position))
            conflictsInRow += 1
            // A pull settles a conflict. Should it not, this must not become a storm.
            if conflictsInRow > 3 {
                note("The server keeps refusing a commit: \(error)")
                pacing.pause(until: now + min(.seconds(30), .milliseconds(100 << min(conflictsInRow, 10))))
            }
        case .cursorGone:
            // The pull sees it too, and compares everything anew.
            mustPull = true
        case .commitIDReused:
            // Only an answer that was lost together with local rows leads here: the pull tells what stands there.
            mustPull = true
        case .badRequest where !sendsWholeRows && request.hasEdits:
            note("The server refused a commit: \(error)")
            sendsWholeRows = true
        case .missingBlocks:
            // Should what a file has here not be what the server has of it, everything is said.
            sendsWholeRows = true
            parts.uploader.doubt(problem.missing ?? [])
            loseBlocks(problem.missing ?? [], of: contents.compactMap { $0.content?.number })
            dropUploads(of: contents.map(\.id))
            isolate(error, request, covered)
        case .quotaExceeded where !contents.isEmpty:
            note("The server refused a commit: \(error)")
            dropUploads(of: contents.map(\.id))
            for node in contents { if let content = node.content { hold(content.number, because: error) } }
        default:
            note("The server refused a commit: \(error)")
            mustPull = problem.kind == .invalidTree
            isolate(error, request, covered)
        }
    }

    /// The pull that follows asks for what it would not bring by itself.
    private func ask(about rows: RefusedRows?) {
        guard let rows else { return }
        if refusedRows?.add(rows) == nil { refusedRows = rows }
    }

    private var position: Seq { parts.shared.withStore { ((try? SyncMeta.seq(in: $0)) ?? nil) ?? .zero } }

    /// What a content here is made of and the server turns out not to have is sent again, as far as it is here.
    private func loseBlocks(_ missing: [BlockID], of files: [InodeNumber]) {
        do {
            try store { store throws(StoreError) in
                var known: Set<BlockNumber> = []
                for id in missing { if let number = try store.blockNumber(id) { known.insert(number) } }
                if known.isEmpty { return }
                try store.loseBlocks(known)
                for number in files where try store.node(number) != nil { try store.noteLostContent(number) }
            }
        } catch {
            note("Sync failed on this machine: \(error)")
        }
    }

    /// Makes commits smaller until the row that the server does not want stands alone, and holds that one.
    private func isolate(_ error: APIError, _ request: CommitRequest, _ covered: CoveredRows) {
        if rowLimit > 1 {
            rowLimit = max(1, min(rowLimit, request.nodes.count + request.entries.count) / 4)
            return
        }
        // It may be one that a look at what the server has makes right.
        if let kind = error.problem?.kind, kind == .missingBlocks || kind == .invalidTree, smallestTries < 3 {
            smallestTries += 1
            if kind == .invalidTree { ask(about: RefusedRows(request)) }
            return
        }
        smallestTries = 0
        rowLimit = parts.rowsInCommit
        let nodes = Set(covered.nodes.map(\.id)).union(covered.entries.compactMap(\.sent))
        dropUploads(of: nodes)
        for id in nodes {
            if let number = try? store({ store throws(StoreError) in try store.node(id)?.number }) {
                hold(number, because: error, withNames: !request.entries.isEmpty)
            }
        }
        // A removal has no node to hold: the whole push waits.
        if nodes.isEmpty {
            refusedRemovals = request.entries.compactMap { refusedRemoval($0, because: error) }
            pacing.pause(until: now + .seconds(60))
        }
    }

    private func refusedRemoval(_ entry: EntryChange, because error: APIError) -> RefusedItem? {
        let path = try? store { store throws(StoreError) -> [UInt8]? in
            guard let parent = try store.node(entry.parent) else { return nil }
            return try TreePath.path(of: entry.name, under: parent.number, in: store)
        }
        return (path ?? nil).map { path in
            RefusedItem(
                path: String(decoding: path, as: UTF8.self),
                reason: "its removal: " + (error.problem?.title ?? error.description), remedy: Self.remedy(for: error))
        }
    }
}

extension CommitRequest {
    /// Whether rows of segments are said as edits of the server's.
    fileprivate var hasEdits: Bool {
        nodes.contains { $0.content?.segments.contains { $0.base != nil } ?? false }
    }
}
