package import DbxLocalStore
import DbxModel
package import DbxSystem

/// What fallocate(2) is to do with a range.
package enum RangeChange: Hashable, Sendable {
    /// The file gets at least this long; nothing is written.
    case extend
    /// Room beyond the end, of which nothing is to be seen: nothing to do.
    case reserve
    /// A hole; the size stays.
    case punch
    case zero(keepsSize: Bool)
}

/// What lseek(2) is to find.
package enum SeekTarget: Hashable, Sendable {
    case data, hole
}

extension FileSystem {
    private static let longestCopy: Int64 = 1 << 30

    /// fallocate(2) by editing extents: holes take no room, here or on the server.
    package func change(
        _ number: InodeNumber, _ range: Range<Int64>, _ change: RangeChange, clearsSetID: Bool = false
    ) throws(Errno) {
        guard range.lowerBound >= 0, !range.isEmpty else { throw .invalidArgument }
        guard range.upperBound <= ContentLimits.maximumFileBytes else { throw .fileTooLarge }
        let now = time.now()
        if clearsSetID { try clearSetID(of: number) }
        try inStore { store in
            let node = try store.requireFile(number)
            try store.transaction {
                switch change {
                case .reserve: break
                case .extend:
                    if range.upperBound > node.size { try store.truncate(number, to: range.upperBound, now: now) }
                case .punch: try store.punchHole(number, range, now: now)
                case .zero(let keepsSize):
                    try store.punchHole(number, range, now: now)
                    if !keepsSize, range.upperBound > node.size {
                        try store.truncate(number, to: range.upperBound, now: now)
                    }
                }
            }
        }
        nodes.noteUnsynced(number)
        changed()
    }

    /// copy_file_range(2): the target gets the source's extents, no byte is copied. Returns how many bytes it was, fewer
    /// at the end of the source.
    package func copyRange(
        from source: InodeNumber, at sourceOffset: Int64, to target: InodeNumber, at targetOffset: Int64, count: Int,
        clearsSetID: Bool = false
    ) throws(Errno) -> Int {
        guard sourceOffset >= 0, targetOffset >= 0, count >= 0 else { throw .invalidArgument }
        try checkQuota()
        if clearsSetID { try clearSetID(of: target) }
        let now = time.now()
        let copied = try inStore { store in
            let size = try store.requireFile(source).size
            _ = try store.requireFile(target)
            let length = min(Int64(count), Self.longestCopy, max(0, size - sourceOffset))
            guard length > 0 else { return 0 }
            guard targetOffset <= ContentLimits.maximumFileBytes - length else { throw Errno.fileTooLarge }
            guard source != target || abs(sourceOffset - targetOffset) >= length else { throw Errno.invalidArgument }
            try store.clone(
                from: source, sourceOffset..<sourceOffset + length, to: target, at: targetOffset, now: now)
            return Int(length)
        }
        if copied > 0 {
            nodes.noteUnsynced(target)
            changed()
        }
        return copied
    }

    /// SEEK_DATA and SEEK_HOLE, by the content's extents; ENXIO at and beyond the end, and for data where none follows.
    package func seek(_ number: InodeNumber, from offset: Int64, to target: SeekTarget) throws(Errno) -> Int64 {
        try inStore { store in
            let size = try store.requireFile(number).size
            guard offset >= 0, offset < size else { throw Errno.noSuchDevice }
            switch target {
            case .data: return try store.firstData(number, in: offset..<size)
            case .hole: return try store.firstHole(number, in: offset..<size)
            }
        }
    }
}

extension LocalStore {
    /// Windows of doubling length from the range's beginning, so that an answer nearby costs little.
    private func search<Result>(_ range: Range<Int64>, _ body: (Range<Int64>) throws -> Result?) throws -> Result? {
        var start = range.lowerBound
        var length = ContentLimits.segmentBytes
        while start < range.upperBound {
            let end = length < range.upperBound - start ? start + length : range.upperBound
            if let result = try body(start..<end) { return result }
            start = end
            length = length > range.upperBound / 2 ? range.upperBound : length * 2
        }
        return nil
    }

    fileprivate func firstData(_ number: InodeNumber, in range: Range<Int64>) throws -> Int64 {
        guard let found = try search(range, { window in try content(number, window).first?.offset }) else {
            throw Errno.noSuchDevice
        }
        return found
    }

    /// The end of the file counts as a hole.
    fileprivate func firstHole(_ number: InodeNumber, in range: Range<Int64>) throws -> Int64 {
        try search(range) { window -> Int64? in
            var position = window.lowerBound
            for extent in try content(number, window) {
                if extent.offset > position { return position }
                position = extent.end
            }
            return position < window.upperBound ? position : nil
        } ?? range.upperBound
    }
}
