package import DbxModel

/// The stored form of a segment row's extents, for a BLOB column (docs/FORMAT.md, Segment rows).
///
/// Canonical: one list of extents has one form, and what decodes encodes to the same bytes. A row of 64 blocks of 1 MiB
/// takes about 2.4 KiB, almost all of it block ids.
package enum SegmentCodec {
    package enum DecodingError: Error, Hashable, Sendable {
        case unsupportedVersion(UInt8)
        case malformed
        case invalid(ExtentError)
    }

    static let version: UInt8 = 1

    /// `extents` have been checked by `ExtentValidation.checkSegment(_:index:)`.
    package static func encode(_ extents: [Extent], index: Int64) -> [UInt8] {
        var blocks: [BlockID] = []
        var numbers: [BlockID: UInt64] = [:]
        for extent in extents where numbers[extent.block] == nil {
            numbers[extent.block] = UInt64(blocks.count)
            blocks.append(extent.block)
        }
        var bytes: [UInt8] = [version]
        bytes.reserveCapacity(8 + blocks.count * 32 + extents.count * 12)
        Varint.append(UInt64(blocks.count), to: &bytes)
        for block in blocks { bytes += block.bytes }
        Varint.append(UInt64(extents.count), to: &bytes)
        var position = ContentLimits.segmentRange(index).lowerBound
        for extent in extents {
            Varint.append(UInt64(extent.offset - position), to: &bytes)
            Varint.append(UInt64(extent.length), to: &bytes)
            Varint.append(numbers[extent.block]!, to: &bytes)
            Varint.append(UInt64(extent.blockOffset), to: &bytes)
            position = extent.end
        }
        return bytes
    }

    /// The extents of segment `index`, checked as `ExtentValidation.checkSegment(_:index:)` does.
    package static func decode(_ bytes: [UInt8], index: Int64) throws(DecodingError) -> [Extent] {
        guard let found = bytes.first else { throw .malformed }
        guard found == version else { throw .unsupportedVersion(found) }
        guard (0...ContentLimits.segmentIndex(of: ContentLimits.maximumFileBytes)).contains(index) else {
            throw .malformed
        }
        var reader = Reader(rest: bytes.dropFirst())
        guard let extents = reader.extents(from: ContentLimits.segmentRange(index)), reader.rest.isEmpty else {
            throw .malformed
        }
        do {
            try ExtentValidation.checkSegment(extents, index: index)
        } catch {
            throw .invalid(error)
        }
        return extents
    }

    /// Reads what follows the version. Every method gives nil where the bytes are not in the form.
    private struct Reader {
        var rest: ArraySlice<UInt8>

        mutating func extents(from segment: Range<Int64>) -> [Extent]? {
            guard let blocks = blocks(), let count = number(below: Int64(rest.count) / 4 + 1) else { return nil }
            var extents: [Extent] = []
            extents.reserveCapacity(Int(count))
            var position = segment.lowerBound
            var named = 0
            for _ in 0..<count {
                guard let gap = number(below: segment.upperBound - position),
                    let length = number(below: segment.upperBound - position - gap + 1),
                    let number = number(below: Int64(min(named + 1, blocks.count))),
                    let blockOffset = self.number(below: ContentLimits.maximumBlockBytes)
                else { return nil }
                named = max(named, Int(number) + 1)
                extents.append(
                    Extent(
                        offset: position + gap, length: length, block: blocks[Int(number)], blockOffset: blockOffset))
                position += gap + length
            }
            return named == blocks.count ? extents : nil
        }

        private mutating func blocks() -> [BlockID]? {
            guard let count = number(below: Int64(rest.count) / 32 + 1) else { return nil }
            var blocks: [BlockID] = []
            blocks.reserveCapacity(Int(count))
            for _ in 0..<count {
                guard let block = BlockID(bytes: rest.prefix(32)) else { return nil }
                blocks.append(block)
                rest = rest.dropFirst(32)
            }
            return Set(blocks).count == blocks.count ? blocks : nil
        }

        private mutating func number(below limit: Int64) -> Int64? {
            guard let value = Varint.read(from: &rest), let number = Int64(exactly: value), number < limit else {
                return nil
            }
            return number
        }
    }
}
