import DbxModel
import DbxTestKit
import DbxWire
import Testing

@Suite("Names, times and identifiers")
struct ValueTests {
    @Test("a name is 1 to 255 bytes without '/' and NUL, and neither '.' nor '..'")
    func names() {
        for bad in ["", ".", "..", "a/b", "a\0b", String(repeating: "x", count: 256)] { #expect(Name(bad) == nil) }
        for good in ["a", "...", ".a", "a\nb", String(repeating: "x", count: 255)] { #expect(Name(good) != nil) }
        #expect(Name([0xFF, 0xFE]) != nil)
    }

    @Test("two Unicode forms of one name are two names, in the order of their bytes")
    func unicode() throws {
        let composed = try #require(Name("\u{E9}"))
        let decomposed = try #require(Name("e\u{301}"))
        #expect(composed != decomposed)
        #expect(decomposed < composed)
    }

    @Test("times are split as stat wants them, before 1970 too", arguments: [0, 1, -1, 999_999_999, -1_000_000_001])
    func times(nanoseconds: Int64) {
        let time = Timestamp(nanoseconds: nanoseconds)
        #expect((0..<1_000_000_000).contains(time.subsecondNanoseconds))
        #expect(Timestamp(seconds: time.seconds, nanoseconds: time.subsecondNanoseconds) == time)
    }

    @Test("times and durations beyond the range are clamped")
    func clamped() {
        #expect(Timestamp(seconds: .max, nanoseconds: 0).nanoseconds == .max)
        #expect(Timestamp(seconds: .min, nanoseconds: 0).nanoseconds == .min)
        #expect(Timestamp(nanoseconds: .max).advanced(by: .seconds(1)).nanoseconds == .max)
    }

    @Test("identifiers come back from their text and bytes, and nothing else is taken")
    func identifiers() {
        let id = NodeID(from: SeededEntropy(seed: 7))
        #expect(NodeID(hex: id.hex) == id)
        #expect(NodeID(bytes: id.bytes) == id)
        for bad in ["", "zz", id.hex + "0", String(id.hex.dropLast())] { #expect(NodeID(hex: bad) == nil) }
        #expect(BlockID(bytes: [UInt8](repeating: 1, count: 31)) == nil)
    }
}

@Suite("Rows in JSON")
struct RowCodingTests {
    @Test("names that are no UTF-8 go as name64, others as name")
    func entryNames() throws {
        for (bytes, key) in [(Array("é\n".utf8), "\"name\""), ([0xFF, 0x41], "\"name64\"")] {
            let change = EntryChange(
                parent: NodeID(high: 1, low: 2), name: try #require(Name(bytes)), base: Seq(3), node: nil)
            let json = try WireJSON.encode(change)
            #expect(String(decoding: json, as: UTF8.self).contains(key))
            #expect(try WireJSON.decode(EntryChange.self, from: json) == change)
        }
    }

    @Test("a name that no directory may hold is refused")
    func hostileName() {
        let json = #"{"parent":"00000000000000000000000000000001","name":"../x","base":0}"#
        #expect(throws: (any Error).self) { try WireJSON.decode(EntryChange.self, from: Array(json.utf8)) }
    }

    @Test("a node comes back with all its attributes")
    func node() throws {
        let row = NodeRow(
            id: NodeID(high: 1, low: 2), seq: Seq(9), commit: CommitID(high: 3, low: 4), kind: .symlink,
            attributes: NodeAttributes(
                mode: 0o4755, uid: 7, gid: nil, mtime: Timestamp(nanoseconds: -5), ctime: Timestamp(nanoseconds: 6),
                birthTime: Timestamp(nanoseconds: 7), rdev: 8,
                extendedAttributes: [ExtendedAttribute(name: [0xFF], value: [0, 1])]),
            attributesSeq: Seq(8), contentSeq: Seq(7), encoding: 1, size: 3, contentHash: [1, 2], target: [0xFE, 0x2F])
        #expect(try WireJSON.decode(NodeRow.self, from: WireJSON.encode(row)) == row)
    }
}
