package import DbxLocalStore
package import DbxModel
package import DbxWire

/// What became of a page of a directory's listing.
package enum ListingOutcome: Hashable, Sendable {
    /// The directory is known as far as the page goes, or in whole.
    case applied
    /// The directory is gone, known, or listed by somebody else.
    case obsolete
    /// A pull has to come first.
    case behind
    /// These nodes have to be asked for before it is tried again.
    case needs(Set<NodeID>)
}

extension PullApplier {
    /// Takes a page of the directory's listing that begins behind `start`. In one transaction, with the store's lock held;
    /// `beginListing` was called before the page was asked for, with the cursor of that moment; where the outcome is that
    /// nodes have to be asked for, it is still under way.
    ///
    /// The page tells of one moment, this client's cursor stands at another. A name counts if its row is not newer than the
    /// cursor, for a pull will bring what is newer, and if no pull since has taken it away; what pulls have changed since is
    /// asked for. So the directory is then known exactly as it is at the cursor.
    ///
    /// - Parameter more: another page of the directory is on its way, or the rest of this one: then it stays under way.
    package mutating func apply(
        _ page: ListingPage, of directory: InodeNumber, behind start: ListingProgress?,
        supplement: PullSupplement? = nil, more: Bool = false
    ) throws -> ListingOutcome {
        isListing = true
        guard store.isListing(directory) else { return .obsolete }
        let news = store.endListing(of: directory)
        let outcome = try apply(page, of: directory, behind: start, supplement: supplement, news: news)
        // Until it is tried again the page is still on its way.
        if case .needs = outcome { store.beginListing(of: directory, with: news) }
        if more, outcome == .applied { store.beginListing(of: directory, with: news) }
        return outcome
    }

    private mutating func apply(
        _ page: ListingPage, of directory: InodeNumber, behind start: ListingProgress?,
        supplement: PullSupplement?, news: ListingUnderWay
    ) throws -> ListingOutcome {
        guard let node = try store.node(directory), node.knowledge != .whole, !node.isOrphan,
            try store.listingProgress(of: directory) == start
        else { return .obsolete }
        return try store.transaction {
            if try store.meta(SyncMeta.cursor) == nil {
                try SyncMeta.setCursor(page.cursor, at: page.seq, in: store)
            }
            let position = try SyncMeta.seq(in: store) ?? .zero
            common = try CommonHistory.last(in: store)
            var rows = ChangesPage(
                nodes: page.nodes, entries: page.entries, segments: page.segments, blocks: page.blocks, cursor: "",
                seq: page.seq, complete: true, quota: Quota(usedBytes: 0, limitBytes: nil))
            rows.entries.removeAll { $0.seq > position || news.gone[$0.name] ?? .zero > $0.seq }
            let changed = rows.leaveOut(news.changed)
            scope = PullScope(store: store, since: nil, listed: node.id, supplement: supplement)
            try takeFresh(from: &rows, in: node)
            try keepNewContents(in: &rows)
            let known = try compared(page, in: node, behind: start)
            if node.knowledge == .stale || !known.isEmpty {
                guard page.seq <= position else { return .behind }
                let missing = try addMissing(page, known, supplement, to: &rows)
                guard missing.isEmpty else { return .needs(missing.union(supplement?.requested ?? [])) }
            }
            let pages = [rows, supplement?.page].compactMap(\.self)
            let forEachPage = { (body: (ChangesPage) throws -> Void) throws in try pages.forEach(body) }
            try scope.survey(forEachPage)
            let missing = scope.needs.union(changed.subtracting(supplement?.requested ?? []))
            guard missing.isEmpty else { return .needs(missing.union(supplement?.requested ?? [])) }
            try apply(forEachPage)
            try finishPage(page, of: directory)
            if let now = try store.node(directory), now.links != node.links || now.knowledge != node.knowledge {
                note(.attributes(directory))
            }
            return .applied
        }
    }

    /// Most names of a listing are new here in every way: for them nothing has to be compared, and they are taken together.
    private mutating func takeFresh(from rows: inout ChangesPage, in directory: LocalNode) throws {
        fresh = nil
        guard directory.knowledge == .partial, let first = rows.entries.first?.name, let last = rows.entries.last?.name,
            first <= last
        else { return }
        let known = try store.knownNames(in: directory.number, first...last)
        let nodes = Dictionary(rows.nodes.map { ($0.id, $0) }) { first, _ in first }
        var isUsed: Set<NodeID> = []
        let severalTimes = Set(rows.entries.compactMap(\.node).filter { !isUsed.insert($0).inserted })
        var names: [ListedName] = []
        var taken: Set<NodeID> = []
        for row in rows.entries {
            guard let id = row.node, let node = nodes[id], !node.deleted, !severalTimes.contains(id),
                !known.contains(row.name), try store.node(id) == nil
            else { continue }
            names.append(ListedName(name: row.name, seq: row.seq, node: AgreedNode(node)))
            taken.insert(id)
        }
        rows.entries.removeAll { $0.node.map(taken.contains) ?? false }
        rows.nodes.removeAll { taken.contains($0.id) }
        scope.admit(taken)
        fresh = (names, directory.number)
    }

    private func finishPage(_ page: ListingPage, of directory: InodeNumber) throws {
        if let next = page.next, let last = page.entries.last?.name {
            try store.setListingProgress(of: directory, ListingProgress(through: last, next: next))
        } else {
            try store.setKnowledge(of: directory, .whole)
        }
    }

    /// Contents that are known stay; of those that are new, stretches without a row are holes.
    private func keepNewContents(in rows: inout ChangesPage) throws {
        var known: Set<NodeID> = []
        var holes: [SegmentRow] = []
        let stretches = Dictionary(grouping: rows.segments, by: \.node).mapValues { Set($0.map(\.index)) }
        for row in rows.nodes where row.kind == .file {
            guard let local = try store.node(row.id) else { continue }
            if row.seq <= local.seq {
                known.insert(row.id)
                continue
            }
            let end = (max(local.size, row.size) + ContentLimits.segmentBytes - 1) / ContentLimits.segmentBytes
            for index in 0..<end where stretches[row.id]?.contains(index) != true {
                holes.append(SegmentRow(node: row.id, index: index, seq: row.seq, extents: []))
            }
        }
        rows.segments.removeAll { known.contains($0.node) }
        rows.segments += holes
    }

    // MARK: Names that the server no longer has

    /// The names that are known in the page's stretch, to be compared with it. Where the directory was never known in
    /// whole, those that the page does not have: pulls tell of their ends, but not across a change of the server's history.
    private func compared(
        _ page: ListingPage, in directory: LocalNode, behind start: ListingProgress?
    ) throws -> [LocalEntry] {
        let last = page.next == nil ? nil : page.entries.last?.name
        let known = try store.comparableEntries(in: directory.number, behind: start?.through, through: last)
            .filter { $0.base <= page.seq }
        guard directory.knowledge == .partial, !known.isEmpty else { return known }
        let present = Set(page.entries.map(\.name))
        return known.filter { entry in
            !present.contains(entry.name) && (!entry.dirty || entry.baseNode != nil || entry.base == .unknown)
        }
    }

    /// Adds the end of the `known` names that are not in the page, with all that was in directories that are gone; names
    /// that were changed here become new ones. Returned is what has to be asked for first: whether a node lives on
    /// elsewhere.
    private mutating func addMissing(
        _ page: ListingPage, _ known: [LocalEntry], _ supplement: PullSupplement?, to rows: inout ChangesPage
    ) throws -> Set<NodeID> {
        let present = Dictionary(page.entries.map { ($0.name, $0.node) }) { first, _ in first }
        // Others have put something else under a name that was changed here, or that led to a directory.
        let replaced = try known.filter { entry in
            guard let id = entry.baseNode, let now = present[entry.name], now != id else { return false }
            return try entry.dirty || store.node(id)?.kind == .directory
        }
        let goneFolders = replaced.filter { !$0.dirty }.compactMap(\.baseNode).filter {
            supplement?.isGone($0) ?? false
        }
        let absences = try absences(
            of: known.filter { present[$0.name] == nil }, andIn: goneFolders, through: page.seq, supplement)
        rows.entries += absences.ends
        let missing = absences.asked.union(replaced.compactMap(\.baseNode)).subtracting(supplement?.requested ?? [])
        if missing.isEmpty {
            try rebase(absences.changed, supplement)
            for entry in replaced where entry.dirty {
                if let id = entry.baseNode, supplement?.isGone(id) ?? false { try postpone(endOf: id) }
            }
        }
        return missing
    }
}

extension ChangesPage {
    /// Without the nodes that have changed since: which those are.
    fileprivate mutating func leaveOut(_ changed: [NodeID: Seq]) -> Set<NodeID> {
        if changed.isEmpty { return [] }
        let older = Set(nodes.filter { row in changed[row.id].map { row.seq < $0 } ?? false }.map(\.id))
        nodes.removeAll { older.contains($0.id) }
        segments.removeAll { older.contains($0.node) }
        return older
    }
}
