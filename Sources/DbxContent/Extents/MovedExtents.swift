import DbxModel
import DbxWire

/// Finds which extents stand in other content at another place. A value.
struct MovedExtents {
    private let source: ExtentList
    private let places: [BlockID: [Extent]]

    init(_ source: ExtentList) {
        self.source = source
        places = Dictionary(grouping: source.extents, by: \.block)
    }

    /// `extents`, ordered: those that are in the source as a whole, as few ranges of it as can be, and the others.
    func split(_ extents: [Extent]) -> (moved: [MovedRange], others: [Extent]) {
        guard !places.isEmpty else { return ([], extents) }
        var moved: [MovedRange] = []
        var others: [Extent] = []
        for extent in extents {
            guard let pieces = pieces(of: extent, behind: moved.last) else {
                others.append(extent)
                continue
            }
            for piece in pieces { Self.append(piece, to: &moved) }
        }
        return (moved, others)
    }

    /// Where an extent stands in the source; nil unless all of it does. What goes on behind `last` comes first.
    private func pieces(of extent: Extent, behind last: MovedRange?) -> [MovedRange]? {
        var pieces: [MovedRange] = []
        var position = extent.blockOffset
        let end = extent.blockOffset + extent.length
        while position < end {
            func isThere(_ place: Extent) -> Bool {
                place.block == extent.block && place.blockOffset <= position
                    && position < place.blockOffset + place.length
            }
            let offset = extent.offset + position - extent.blockOffset
            let next = (pieces.last ?? last).flatMap { last in
                last.offset + last.length == offset ? last.from + last.length : nil
            }
            let behind = next.flatMap { next in
                source.slices(of: next..<next + extent.length).first { isThere($0) && $0.offset == next }
            }
            guard let found = behind ?? places[extent.block]?.first(where: isThere) else { return nil }
            let length = min(end, found.blockOffset + found.length) - position
            pieces.append(
                MovedRange(offset: offset, length: length, from: found.offset + position - found.blockOffset))
            position += length
        }
        return pieces
    }

    /// What goes on where the last one ends, in both contents, is one with it.
    private static func append(_ piece: MovedRange, to moved: inout [MovedRange]) {
        if let last = moved.last, last.offset + last.length == piece.offset, last.from + last.length == piece.from {
            moved[moved.count - 1].length += piece.length
        } else {
            moved.append(piece)
        }
    }
}
