import DbxModel
package import DbxWire

extension ListingPage {
    /// The page as several that are applied one after the other, each of at most `count` entries with all that belongs to
    /// them. Where only some have been, the listing goes on from where this page began.
    package func pieces(of count: Int, from start: String?) -> [ListingPage] {
        guard entries.count > count else { return [self] }
        let parts = Parts(self)
        return stride(from: 0, to: entries.count, by: count).map { first in
            let isLast = first + count >= entries.count
            var piece = parts.piece(Array(entries[first..<min(first + count, entries.count)]))
            if first == 0 { piece.nodes += parts.others }
            piece.next = isLast ? next : start ?? ListingPage.beginning
            return piece
        }
    }

    /// Where a listing goes on of which only a part of the first page has been applied.
    package static let beginning = ""

    /// What a page holds, by what it belongs to.
    private struct Parts {
        private let page: ListingPage
        private let nodes: [NodeID: NodeRow]
        private let segments: [NodeID: [SegmentRow]]
        private let blocks: [BlockID: BlockRow]

        init(_ page: ListingPage) {
            self.page = page
            nodes = Dictionary(page.nodes.map { ($0.id, $0) }) { first, _ in first }
            segments = Dictionary(grouping: page.segments, by: \.node)
            blocks = Dictionary(page.blocks.map { ($0.id, $0) }) { first, _ in first }
        }

        /// Nodes that no entry of the page names.
        var others: [NodeRow] {
            let named = Set(page.entries.compactMap(\.node))
            return page.nodes.filter { !named.contains($0.id) }
        }

        func piece(_ entries: [EntryRow]) -> ListingPage {
            var piece = ListingPage(entries: entries, nodes: [], next: nil, seq: page.seq, cursor: page.cursor)
            let ids = entries.compactMap(\.node)
            piece.nodes = ids.compactMap { nodes[$0] }
            piece.segments = Set(ids).flatMap { segments[$0] ?? [] }
            var wanted = Set(piece.segments.flatMap { $0.extents.map(\.block) })
            wanted.formUnion(wanted.compactMap { blocks[$0]?.wrap.base })
            piece.blocks = wanted.compactMap { blocks[$0] }
            return piece
        }
    }
}
