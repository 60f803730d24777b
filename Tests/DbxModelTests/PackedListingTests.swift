import DbxModel
import DbxTestKit
import DbxWire
import Testing

@Suite("A packed listing")
struct PackedListingTests {
    @Test("holds what the page holds", arguments: testSeeds(50))
    func roundTrip(seed: UInt64) throws {
        let page = SeededEntropy(seed: seed).listingPage()
        let packed = try #require(PackedListing.encode(page))
        #expect(try PackedListing.decode(packed) == page)
    }

    @Test("has a small part of the bytes that JSON has")
    func size() throws {
        let page = SeededEntropy(seed: 7).listingPage(entries: 1_000)
        let packed = try #require(PackedListing.encode(page))
        #expect(try packed.count * 3 < WireJSON.encode(page).count)
    }

    @Test("that is cut off, goes on, or is damaged is refused or means something else, and never traps")
    func damage() throws {
        let entropy = SeededEntropy(seed: 3)
        for _ in 0..<10 {
            let packed = try #require(PackedListing.encode(entropy.listingPage()))
            #expect(throws: MalformedPacking.self) { try PackedListing.decode(packed + [0]) }
            for count in stride(from: 0, to: packed.count, by: 5) {
                #expect(throws: MalformedPacking.self) { try PackedListing.decode(Array(packed[..<count])) }
            }
            for _ in 0..<200 {
                var damaged = packed
                damaged[entropy.number(below: damaged.count)] = UInt8(truncatingIfNeeded: entropy.next())
                _ = try? PackedListing.decode(damaged)
            }
        }
        #expect(throws: MalformedPacking.self) { try PackedListing.decode([UInt8](repeating: 0xFF, count: 400)) }
    }

    @Test("of a huge file is as good as any other")
    func manyExtents() throws {
        var page = SeededEntropy(seed: 5).listingPage(entries: 4)
        let block = SeededEntropy(seed: 6).someBlock()
        let extents = (0..<Int64(ContentLimits.maximumSegmentExtents)).map {
            Extent(offset: $0 * 4_096, length: 4_096, block: block, blockOffset: $0)
        }
        page.segments += (0..<70).map { SegmentRow(node: page.nodes[0].id, index: $0, seq: page.seq, extents: extents) }
        let packed = try #require(PackedListing.encode(page))
        let decoded = try PackedListing.decode(packed)
        #expect(decoded.segments.count == page.segments.count && decoded == page)
    }

    @Test("is not made of what has no place in it")
    func unpackable() throws {
        let page = SeededEntropy(seed: 5).listingPage(entries: 4)
        let changes: [(inout ListingPage) -> Void] = [
            { $0.nodes.removeLast() }, { $0.nodes.swapAt(0, 1) }, { $0.nodes[0].deleted = true },
            { $0.entries[1].parent = NodeID(high: 1, low: 1) }, { $0.entries[0].node = nil },
            { $0.segments.append(SegmentRow(node: NodeID(high: 1, low: 1), index: 0, seq: Seq(1), extents: [])) },
        ]
        for change in changes {
            var other = page
            change(&other)
            #expect(PackedListing.encode(other) == nil)
        }
    }
}

extension SeededEntropy {
    func someBytes(below count: Int) -> [UInt8] {
        (0..<number(below: count)).map { _ in UInt8(truncatingIfNeeded: next()) }
    }

    func someSeq(upTo seq: Seq) -> Seq { Seq(1 + Int64(next() % UInt64(seq.value))) }
    private func someCommit() -> CommitID? { chance(20) ? nil : CommitID(high: next() % 5, low: 0) }
    func someTime() -> Timestamp {
        Timestamp(nanoseconds: chance(5) ? element(of: [.min, .max, 0, -1]) : Int64(next() % (1 << 62)))
    }

    func someAttributes() -> NodeAttributes {
        var attributes = NodeAttributes(
            mode: UInt16(number(below: 0o10000)), mtime: someTime(), ctime: someTime(), birthTime: someTime())
        if chance(30) { (attributes.uid, attributes.gid) = (.max, 0) }
        if chance(10) { attributes.rdev = .max }
        if chance(20) {
            attributes.extendedAttributes = [
                ExtendedAttribute(name: someBytes(below: 20), value: someBytes(below: 200))
            ]
        }
        return attributes
    }

    /// A page as a server gives one: any kinds of nodes, names of any bytes, hard links, contents.
    fileprivate func listingPage(entries count: Int? = nil) -> ListingPage {
        let seq = Seq(element(of: [1, 70, 1 << 40]))
        var page = ListingPage(
            entries: [], nodes: [], next: chance(50) ? nil : "next", seq: seq, cursor: chance(50) ? "" : "a cursor")
        let parent = NodeID(from: self)
        for index in 0..<(count ?? number(below: 30)) {
            let node = chance(10) && index > 0 ? element(of: page.nodes) : node(upTo: seq)
            let name = Name(Array("entry\(index)".utf8) + (chance(20) ? [0xFF, 0x80] : []))!
            page.entries.append(
                EntryRow(parent: parent, name: name, node: node.id, seq: someSeq(upTo: seq), commit: someCommit()))
            page.nodes.append(node)
            if node.kind == .file, chance(60) { addContent(of: node.id, to: &page) }
        }
        return page
    }

    private func node(upTo seq: Seq) -> NodeRow {
        let kind = element(of: NodeKind.allCases)
        return NodeRow(
            id: NodeID(from: self), seq: someSeq(upTo: seq), commit: someCommit(), kind: kind,
            attributes: someAttributes(),
            attributesSeq: someSeq(upTo: seq), contentSeq: someSeq(upTo: seq), encoding: chance(10) ? 3 : 0,
            size: kind == .file ? Int64(next() >> 2) : 0, contentHash: chance(50) ? someBytes(below: 33) : nil,
            target: kind == .symlink ? someBytes(below: 100) : nil)
    }

    func someBlock() -> BlockID { BlockID(bytes: (0..<32).map { _ in UInt8(truncatingIfNeeded: next()) })! }

    func someWrap(against base: BlockID?) -> BlockWrap {
        BlockWrap(
            sealed: Base64(someBytes(below: 92)), key: KeyID(high: next() % 3, low: 1), plainBytes: 4_096,
            storedBytes: Int64(number(below: 5_000)), base: base)
    }

    private func addContent(of node: NodeID, to page: inout ListingPage) {
        var extents: [Extent] = []
        for index in 0..<number(below: 4) {
            let block = someBlock()
            let base = page.blocks.isEmpty || chance(50) ? nil : element(of: page.blocks).id
            page.blocks.append(BlockRow(id: block, seq: someSeq(upTo: page.seq), wrap: someWrap(against: base)))
            extents.append(Extent(offset: Int64(index) << 20, length: 4_096, block: block, blockOffset: 7))
        }
        page.segments.append(SegmentRow(node: node, index: 3, seq: someSeq(upTo: page.seq), extents: extents))
    }
}
