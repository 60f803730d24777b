import DbxLocalStore
import DbxModel
@testable import DbxSync
import DbxTestKit
import DbxWire
import Testing

@Suite("The rows that a commit covers")
struct CoveredRowsTests {
    private func sample() -> CoveredRows {
        let time = Timestamp(nanoseconds: 1_700_000_000_123_456_789)
        let attributes = NodeAttributes(
            mode: 0o644, uid: 7, mtime: time, ctime: time, birthTime: time,
            extendedAttributes: [ExtendedAttribute(name: [1], value: [])])
        let block = BlockID(bytes: [UInt8](repeating: 5, count: 32))!
        let content = UploadSnapshot(
            number: InodeNumber(rawValue: .max), id: NodeID(high: 1, low: 2), contentChange: 9, size: 1 << 40,
            contentBase: Seq(3), mtime: time, ctime: Timestamp(nanoseconds: -1), dirtyStretches: [0, 8],
            extents: [
                LocalExtent(
                    offset: 0, length: 4_096,
                    source: .staging(SegmentLocation(segment: .max, position: 1 << 33), epoch: 4)),
                LocalExtent(offset: 4_096, length: 1, source: .block(BlockNumber(rawValue: 77), offset: 3)),
            ], epoch: 12, isNewStream: true)
        let moved = CoveredRows.Row(
            index: 8, extents: [Extent(offset: 1, length: 2, block: block, blockOffset: 3)])
        return CoveredRows(
            nodes: [
                CoveredRows.Node(
                    id: NodeID(high: 1, low: 2), change: 10, contentChange: 9, attributes: attributes, content: content,
                    movedRows: [moved]),
                CoveredRows.Node(id: NodeID(high: .max, low: 0), change: -1, contentChange: 0),
            ],
            entries: [
                CoveredRows.Entry(parent: NodeID(high: 3, low: 3), name: Base64([0xFF]), change: 11, sent: nil),
                CoveredRows.Entry(
                    parent: NodeID(high: 3, low: 3), name: Base64([65]), change: 12, sent: NodeID(high: 1, low: 2)),
            ])
    }

    @Test("are read as they were kept, by this program and by older ones")
    func roundTrip() throws {
        for rows in [CoveredRows(), sample()] {
            #expect(try CoveredRows(bytes: rows.packed) == rows)
            #expect(try CoveredRows(bytes: WireJSON.encode(rows)) == rows)
        }
    }

    @Test("that are damaged are refused or mean something else, and never trap")
    func damage() throws {
        let entropy = SeededEntropy(seed: 1)
        let packed = sample().packed
        for count in 0..<packed.count {
            #expect(throws: (any Error).self) { try CoveredRows(bytes: Array(packed[..<count])) }
        }
        #expect(throws: MalformedPacking.self) { try CoveredRows(bytes: packed + [0]) }
        for _ in 0..<2_000 {
            var damaged = packed
            damaged[entropy.number(below: damaged.count)] = UInt8(truncatingIfNeeded: entropy.next())
            _ = try? CoveredRows(bytes: damaged)
        }
    }
}
