import DbxModel
import DbxServerStores
import DbxTestKit
import Testing

/// One way to get a new, empty `MetadataStore`. Another product joins the contract by another element of `all`.
struct MetadataImplementation: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let make: @Sendable (TemporaryDirectory) throws -> any MetadataStore

    static let all = [
        MetadataImplementation(testDescription: "SQLite") { directory in
            try SQLMetadataStore(sqliteFile: directory.path + "/metadata.db")
        }
    ]
}

/// What every `MetadataStore` promises.
@Suite(.timeLimit(.minutes(1)))
struct MetadataStoreContractTests {
    private let directory = TemporaryDirectory()
    private let entropy = SeededEntropy(seed: 7)
    private let time = Timestamp(seconds: 1_800_000_000, nanoseconds: 1)
    private struct Refusal: Error, Equatable {}

    private func namespace(_ id: NamespaceID) -> NamespaceRecord {
        NamespaceRecord(
            id: id, org: OrgID(from: entropy), owner: UserID(from: entropy), rootNode: NodeID(from: entropy),
            epoch: entropy.bytes(16), chain: entropy.bytes(32), limitBytes: nil)
    }

    private func node(_ id: NodeID, seq: Int64 = 1) -> NodeRecord {
        var attributes = NodeAttributes(mode: 0o7644, mtime: time, ctime: time, birthTime: time, rdev: .max)
        attributes.uid = .max
        attributes.extendedAttributes = [
            ExtendedAttribute(name: [1, 255], value: []), ExtendedAttribute(name: [2], value: [0, 1, 2]),
        ]
        return NodeRecord(
            id: id, seq: Seq(seq), commit: CommitID(from: entropy), kind: .symlink, attributes: attributes,
            attributesSeq: Seq(1), contentSeq: Seq(2), encoding: 3, size: 4, allocatedBytes: 5,
            contentHash: entropy.bytes(32), target: [255, 0x2F, 1], links: 2)
    }

    @Test("rows come back as they were written", arguments: MetadataImplementation.all)
    func rowsComeBack(_ implementation: MetadataImplementation) throws {
        let store = try implementation.make(directory)
        let space = namespace(NamespaceID(from: entropy))
        let node = node(NodeID(from: entropy))
        let entry = EntryRecord(
            parent: space.rootNode, name: Name([255, 10, 13])!, node: node.id, seq: Seq(9), commit: nil)
        let extents = [
            Extent(offset: 64 << 20, length: 1, block: BlockID(bytes: entropy.bytes(32))!, blockOffset: 4_194_303),
            Extent(offset: (128 << 20) - 9, length: 9, block: BlockID(bytes: entropy.bytes(32))!, blockOffset: 0),
        ]
        let segment = SegmentRecord(node: node.id, index: 1, from: Seq(3), extents: extents)
        try store.write { rows in
            try rows.insert(space)
            try rows.put(node, in: space.id)
            try rows.put(entry, in: space.id)
            try rows.insert(segment, in: space.id)
        }
        try store.read { rows throws in
            #expect(try rows.namespace(space.id) == space)
            #expect(try rows.node(node.id, in: space.id) == node)
            #expect(try rows.entry(parent: entry.parent, name: entry.name, in: space.id) == entry)
            #expect(try rows.entries(of: node.id, in: space.id) == [entry])
            #expect(try rows.currentSegment(1, of: node.id, in: space.id) == segment)
            #expect(try rows.node(node.id, in: NamespaceID(from: entropy)) == nil)
        }
    }

    @Test("a write that throws leaves nothing behind", arguments: MetadataImplementation.all)
    func writeThatThrows(_ implementation: MetadataImplementation) throws {
        let store = try implementation.make(directory)
        let space = namespace(NamespaceID(from: entropy))
        #expect(throws: Refusal()) {
            try store.write { rows in
                try rows.insert(space)
                throw Refusal()
            }
        }
        #expect(try store.read { try $0.namespace(space.id) } == nil)
    }

    @Test("in a batch each write succeeds or fails by itself", arguments: MetadataImplementation.all)
    func batch(_ implementation: MetadataImplementation) throws {
        let store = try implementation.make(directory)
        let spaces = (0..<3).map { _ in namespace(NamespaceID(from: entropy)) }
        let bodies: [(any MetadataTransaction) throws -> Int] = spaces.enumerated().map { index, space in
            { rows in
                try rows.insert(space)
                if index == 1 { throw Refusal() }
                return index
            }
        }
        var began = false
        let results = try store.writeBatch(bodies) { _ in began = true }
        #expect(began)
        #expect(results.map { try? $0.get() } == [0, nil, 2])
        #expect(throws: Refusal()) { try results[1].get() }
        let there = try spaces.map { space in try store.read { try $0.namespace(space.id) } != nil }
        #expect(there == [true, false, true])
    }

    @Test("a batch whose beginning throws does nothing", arguments: MetadataImplementation.all)
    func batchThatThrows(_ implementation: MetadataImplementation) throws {
        let store = try implementation.make(directory)
        let space = namespace(NamespaceID(from: entropy))
        #expect(throws: Refusal()) {
            try store.writeBatch([{ rows in try rows.insert(space) }]) { _ in throw Refusal() }
        }
        #expect(try store.read { try $0.namespace(space.id) } == nil)
    }

    @Test("seqs are taken without gaps, and given back with what fails", arguments: MetadataImplementation.all)
    func takeSeq(_ implementation: MetadataImplementation) throws {
        let store = try implementation.make(directory)
        let space = namespace(NamespaceID(from: entropy))
        try store.write { try $0.insert(space) }
        #expect(try store.write { try $0.takeSeq(in: space.id)?.head } == Seq(1))
        _ = try? store.write { rows in
            _ = try rows.takeSeq(in: space.id)
            throw Refusal()
        }
        #expect(try store.write { try $0.takeSeq(in: space.id)?.head } == Seq(2))
        #expect(try store.write { try $0.takeSeq(in: NamespaceID(from: entropy)) } == nil)
    }

    @Test("a node id is claimed once, in whatever namespace", arguments: MetadataImplementation.all)
    func claim(_ implementation: MetadataImplementation) throws {
        let store = try implementation.make(directory)
        let node = NodeID(from: entropy)
        #expect(try store.write { try $0.claim(node, for: NamespaceID(from: entropy)) })
        #expect(try !store.write { try $0.claim(node, for: NamespaceID(from: entropy)) })
    }

    @Test("a directory is read in the order of its names' bytes, page by page", arguments: MetadataImplementation.all)
    func directoryOrder(_ implementation: MetadataImplementation) throws {
        let store = try implementation.make(directory)
        let (space, parent) = (NamespaceID(from: entropy), NodeID(from: entropy))
        let names = [[1], [65], [65, 0xC3, 0xA4], [66], [97], [255]].map { Name($0)! }
        try store.write { rows in
            for name in names.shuffled() {
                try rows.put(
                    EntryRecord(parent: parent, name: name, node: NodeID(from: entropy), seq: Seq(1), commit: nil),
                    in: space)
            }
            try rows.put(
                EntryRecord(parent: parent, name: Name([67])!, node: nil, seq: Seq(1), commit: nil), in: space)
        }
        var found: [Name] = []
        while true {
            let page = try store.read { rows throws in
                try rows.entries(inDirectory: parent, after: found.last, limit: 2, in: space)
            }
            found += page.map(\.name)
            if page.count < 2 { break }
        }
        #expect(found == names)
    }

    @Test("a listing has each entry's node beside it, where there is one", arguments: MetadataImplementation.all)
    func listing(_ implementation: MetadataImplementation) throws {
        let store = try implementation.make(directory)
        let (space, parent) = (NamespaceID(from: entropy), NodeID(from: entropy))
        let nodes = (1...3).map { (seq: Int64) in node(NodeID(from: entropy), seq: seq) }
        try store.write { rows in
            for (index, node) in nodes.enumerated() {
                if index != 1 { try rows.put(node, in: space) }
                // Of the same id elsewhere nothing is told.
                try rows.put(node, in: NamespaceID(from: entropy))
                let name = Name("entry\(index)")!
                try rows.put(
                    EntryRecord(parent: parent, name: name, node: node.id, seq: node.seq, commit: nil), in: space)
            }
        }
        try store.read { rows throws in
            let all = try rows.listing(of: parent, after: nil, limit: 10, in: space)
            #expect(all.map(\.entry) == (try rows.entries(inDirectory: parent, after: nil, limit: 10, in: space)))
            #expect(all.map(\.node) == [nodes[0], nil, nodes[2]])
            let rest = try rows.listing(of: parent, after: Name("entry0"), limit: 1, in: space)
            #expect(rest.map(\.entry.name.display) == ["entry1"])
        }
    }

    @Test("what a block is encoded against is referred to with it", arguments: MetadataImplementation.all)
    func baseReferences(_ implementation: MetadataImplementation) throws {
        let store = try implementation.make(directory)
        let (space, node) = (NamespaceID(from: entropy), NodeID(from: entropy))
        let ids = (0..<4).map { _ in BlockID(bytes: entropy.bytes(32))! }
        let (base, first, second, other) = (ids[0], ids[1], ids[2], ids[3])
        func row(_ block: BlockID, base: BlockID? = nil) -> NamespaceBlockRecord {
            NamespaceBlockRecord(
                block: block, seq: Seq(1), sealed: [1], key: KeyID(from: entropy), plainBytes: 10, storedBytes: 100,
                base: base)
        }
        let blocks = [row(base), row(first, base: base), row(second, base: base), row(other)]
        let extents = [first, second].enumerated().map { index, block in
            Extent(offset: Int64(index) * 10, length: 10, block: block, blockOffset: 0)
        }
        try store.write { rows in
            for block in blocks {
                try rows.insert(block, in: space)
                try rows.insertIfAbsent(
                    BlockRecord(
                        id: block.block, generation: 1, storedBytes: 100, state: .live,
                        createdAt: Timestamp(nanoseconds: 1)))
            }
            try rows.insert(SegmentRecord(node: node, index: 0, from: Seq(1), extents: extents), in: space)
        }
        try store.read { rows throws in
            for block in blocks { #expect(try rows.namespaceBlock(block.block, in: space) == block) }
            #expect(try rows.liveBlocks().blocks == 3)
            #expect(try rows.storedBlocks().blocks == 4)
        }
    }

    @Test("segment rows keep the past, and only one is current", arguments: MetadataImplementation.all)
    func segmentHistory(_ implementation: MetadataImplementation) throws {
        let store = try implementation.make(directory)
        let (space, node) = (NamespaceID(from: entropy), NodeID(from: entropy))
        let rowsBySeq = [Int64(1), 4, 6].map { seq in
            SegmentRecord(
                node: node, index: 0, from: Seq(seq),
                extents: [Extent(offset: 0, length: seq, block: BlockID(bytes: entropy.bytes(32))!, blockOffset: 0)])
        }
        try store.write { rows in
            for row in rowsBySeq {
                try rows.endSegment(0, of: node, at: row.from, in: space)
                try rows.insert(row, in: space)
            }
        }
        try store.read { rows throws in
            #expect(try rows.currentSegments(of: node, from: 0, in: space).map(\.from) == [Seq(6)])
            #expect(try rows.segments(of: node, at: Seq(5), in: space).map(\.from) == [Seq(4)])
            #expect(try rows.segments(of: node, at: Seq(4), in: space).first?.to == Seq(6))
            #expect(try rows.rowSeqs(in: space, after: .zero, limit: 9) == [Seq(6)])
        }
    }

    @Test("a copy made while the store is open holds everything committed", arguments: MetadataImplementation.all)
    func backup(_ implementation: MetadataImplementation) throws {
        let store = try implementation.make(directory)
        let space = namespace(NamespaceID(from: entropy))
        try store.write { try $0.insert(space) }
        let copied = TemporaryDirectory()
        try store.backup(to: copied.path + "/metadata.db")
        try store.write { try $0.insert(namespace(NamespaceID(from: entropy))) }
        let copy = try implementation.make(copied)
        #expect(try copy.read { try $0.namespace(space.id) } == space)
    }

    @Test("what was committed is there when the store is opened again", arguments: MetadataImplementation.all)
    func reopen(_ implementation: MetadataImplementation) throws {
        let space = namespace(NamespaceID(from: entropy))
        try implementation.make(directory).write { try $0.insert(space) }
        #expect(try implementation.make(directory).read { try $0.namespace(space.id) } == space)
    }

    @Test("two that have the store open see each other's writes", arguments: MetadataImplementation.all)
    func twoOpen(_ implementation: MetadataImplementation) throws {
        let (one, two) = (try implementation.make(directory), try implementation.make(directory))
        let space = namespace(NamespaceID(from: entropy))
        try one.write { try $0.insert(space) }
        #expect(try two.write { try $0.takeSeq(in: space.id)?.head } == Seq(1))
        #expect(try one.read { try $0.namespace(space.id)?.head } == Seq(1))
    }
}
