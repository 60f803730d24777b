import Crypto
import DbxModel
import DbxServerCore
import DbxTestKit
import DbxWire

/// A server in a directory of its own, with fake time and seeded randomness.
final class TestServer {
    /// Nil where the data lie in a place of somebody else.
    let directory: TemporaryDirectory!
    let dataDirectory: String
    let time: FakeTime
    let entropy: SeededEntropy
    let server: Server

    convenience init(
        directory: TemporaryDirectory = TemporaryDirectory(), time: FakeTime = FakeTime(), seed: UInt64 = 1
    ) throws {
        try self.init(
            dataDirectory: directory.path + "/data", in: directory, time: time, entropy: SeededEntropy(seed: seed))
    }

    init(
        dataDirectory: String, in directory: TemporaryDirectory? = nil, time: FakeTime, entropy: SeededEntropy
    ) throws {
        self.directory = directory
        self.dataDirectory = dataDirectory
        self.time = time
        self.entropy = entropy
        server = try Server.open(Self.configuration(dataDirectory, time: time, entropy: entropy))
        try server.startServing()
    }

    static func configuration(
        _ path: String, time: FakeTime = FakeTime(), entropy: SeededEntropy = SeededEntropy(seed: 1)
    ) -> ServerConfiguration {
        ServerConfiguration(dataDirectory: path, version: "test", passwordCost: .cheap, time: time, entropy: entropy)
    }

    func addUser(_ name: String = "ada", limitBytes: Int64? = nil) throws {
        _ = try server.addUser(name: name, password: "secret", limitBytes: limitBytes)
    }

    func logIn(_ name: String = "ada", device: String = "laptop") throws -> TestDevice {
        let request = LoginRequest(user: name, password: "secret", device: device)
        return try TestDevice(self, token: server.login(request, address: "127.0.0.1").token)
    }

    /// A user with one device.
    func newDevice(_ name: String = "ada", limitBytes: Int64? = nil) throws -> TestDevice {
        try addUser(name, limitBytes: limitBytes)
        return try logIn(name)
    }
}

/// What the server refuses it with; nil where it does not.
func problem(_ body: () throws -> Void) -> ProblemKind? {
    do {
        try body()
        return nil
    } catch {
        return (error as? Problem)?.kind
    }
}

/// A device of a user, with shorthand for what clients do.
final class TestDevice {
    let fixture: TestServer
    let token: String
    let caller: Caller
    let namespace: NamespaceID
    let root: NodeID
    let wrapKey: KeyID

    init(_ fixture: TestServer, token: String) throws {
        self.fixture = fixture
        self.token = token
        caller = try fixture.server.authenticate(token: token)
        let session = try fixture.server.session(caller)
        let grant = session.namespaces[0]
        (namespace, root, wrapKey) = (grant.id, grant.rootNode, grant.keys.currentWrapKey!)
    }

    var server: Server { fixture.server }
    var entropy: SeededEntropy { fixture.entropy }

    // Commits

    func request(
        _ nodes: [NodeChange] = [], _ entries: [EntryChange] = [], times: [DirectoryTime] = [],
        blocks: [CommittedBlock] = []
    ) -> CommitRequest {
        CommitRequest(
            id: CommitID(from: entropy), nodes: nodes, entries: entries, directoryTimes: times, blocks: blocks)
    }

    @discardableResult
    func send(_ request: CommitRequest, digest: [UInt8]? = nil) throws -> CommitResult {
        let body =
            request.id.bytes + Int64(request.nodes.count).bigEndianBytes + Int64(request.entries.count).bigEndianBytes
        return try server.commit(
            SubmittedCommit(
                caller: caller, namespace: namespace, request: request,
                digest: digest ?? Array(SHA256.hash(data: body))))
    }

    @discardableResult
    func commit(
        _ nodes: [NodeChange] = [], _ entries: [EntryChange] = [], times: [DirectoryTime] = [],
        blocks: [CommittedBlock] = []
    ) throws -> CommitResult {
        try send(request(nodes, entries, times: times, blocks: blocks))
    }

    /// The problem that a commit is refused with.
    func refusal(
        _ nodes: [NodeChange] = [], _ entries: [EntryChange] = [], blocks: [CommittedBlock] = []
    ) throws -> Problem? {
        do {
            try commit(nodes, entries, blocks: blocks)
            return nil
        } catch let problem as Problem {
            return problem
        }
    }

    // Rows

    func attributes(mode: UInt16 = 0o644) -> NodeAttributes {
        let now = fixture.time.now()
        return NodeAttributes(mode: mode, mtime: now, ctime: now, birthTime: now)
    }

    func node(_ kind: NodeKind, _ id: NodeID? = nil, mode: UInt16 = 0o644) -> NodeChange {
        NodeChange(
            id: id ?? NodeID(from: entropy), kind: kind,
            attributes: AttributesChange(
                base: .zero, state: attributes(mode: mode),
                target: kind == .symlink ? Base64(Array("there".utf8)) : nil),
            content: kind == .file ? content() : nil)
    }

    func content(base: Seq = .zero, size: Int64 = 0, _ segments: [SegmentChange] = []) -> ContentChange {
        let now = fixture.time.now()
        return ContentChange(base: base, size: size, mtime: now, ctime: now, segments: segments)
    }

    func entry(_ parent: NodeID, _ name: String, _ node: NodeID?, base: Seq = .zero) -> EntryChange {
        EntryChange(parent: parent, name: Name(name)!, base: base, node: node)
    }

    /// A node with an entry in `parent` (the root when nil), committed.
    @discardableResult
    func make(_ kind: NodeKind, _ name: String, in parent: NodeID? = nil) throws -> (id: NodeID, seq: Seq) {
        let change = node(kind)
        let result = try commit([change], [entry(parent ?? root, name, change.id)])
        return (change.id, result.seq)
    }

    // Blocks

    /// Bytes that pass for a stored block; the server never opens them.
    func block(_ bytes: Int = 100) -> TestBlock { TestBlock(stored: entropy.bytes(bytes)) }

    func grant(_ block: TestBlock) throws -> UploadGrant {
        let offered = OfferedBlock(id: block.id, storedBytes: Int64(block.stored.count))
        return try server.requestUploads(caller, namespace: namespace, UploadRequest(blocks: [offered])).grants[0]
    }

    func upload(_ block: TestBlock) throws {
        guard let signed = try grant(block).upload else { return }
        try put(block.stored, to: signed)
    }

    func incoming(_ signed: SignedUpload, bytes: Int) -> IncomingUpload {
        let parts = signed.url.split(separator: "?")
        let fields = parts[1].split(separator: "&").map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
        return IncomingUpload(
            method: "PUT", upload: UploadID(hex: String(parts[0].suffix(32)))!,
            query: Dictionary(uniqueKeysWithValues: fields.map { ($0[0], $0[1]) }), headers: signed.headers,
            contentLength: Int64(bytes))
    }

    func put(_ bytes: [UInt8], to signed: SignedUpload) throws {
        let receiver = try server.beginUpload(incoming(signed, bytes: bytes.count))
        try receiver.receive(Array(bytes.prefix(40)).span.bytes)
        try receiver.receive(Array(bytes.dropFirst(40)).span.bytes)
        try server.confirm([try receiver.store()])[0].get()
    }

    /// The frames of a pack.
    func frames(_ blocks: [TestBlock]) -> [UInt8] {
        blocks.flatMap { BlockFrame.header(length: $0.stored.count) + $0.stored }
    }

    /// Asks leave for all, and sends them together.
    func pack(_ blocks: [TestBlock]) throws -> [Bool] {
        for block in blocks { _ = try grant(block) }
        return try server.storePack(caller, namespace: namespace, frames(blocks)).stored
    }

    func wrap(_ block: TestBlock, plainBytes: Int64) -> CommittedBlock {
        CommittedBlock(
            id: block.id,
            wrap: BlockWrap(
                sealed: Base64(entropy.bytes(92)), key: wrapKey, plainBytes: plainBytes,
                storedBytes: Int64(block.stored.count)))
    }

    /// A new file with one block of `plainBytes`, uploaded and committed.
    func makeFile(_ name: String, plainBytes: Int64 = 1_000) throws -> (id: NodeID, seq: Seq, block: TestBlock) {
        let block = block()
        try upload(block)
        var change = node(.file)
        change.content = content(size: plainBytes, [segment(0, [(0, plainBytes, block, 0)])])
        let result = try commit(
            [change], [entry(root, name, change.id)], blocks: [wrap(block, plainBytes: plainBytes)])
        return (change.id, result.seq, block)
    }

    func segment(_ index: Int64, _ extents: [(Int64, Int64, TestBlock, Int64)]) -> SegmentChange {
        SegmentChange(
            index: index,
            extents: extents.map { Extent(offset: $0.0, length: $0.1, block: $0.2.id, blockOffset: $0.3) })
    }

    // Reading

    func read(_ block: TestBlock, from other: Server? = nil) throws -> [UInt8] {
        let stored = try (other ?? server).readBlock(caller, namespace: namespace, block: block.id)
        var bytes = [UInt8](repeating: 0, count: Int(stored.bytes))
        try bytes.withUnsafeMutableBytes { try stored.read(into: $0, offset: 0) }
        return bytes
    }

    func pages(from cursor: String? = nil, limit: Int? = nil) throws -> [ChangesPage] {
        var pages: [ChangesPage] = []
        repeat {
            pages.append(
                try server.changes(caller, namespace: namespace, cursor: pages.last?.cursor ?? cursor, limit: limit))
        } while pages.last?.complete == false
        return pages
    }

    func names(in directory: NodeID? = nil) throws -> [String] {
        try server.listing(caller, namespace: namespace, node: directory ?? root, ListingQuery())
            .entries.map(\.name.display)
    }

    func row(_ id: NodeID) throws -> NodeRow? { try Replica(pages()).nodes[id] }
}

struct TestBlock {
    let stored: [UInt8]
    var id: BlockID { BlockID(bytes: Array(SHA256.hash(data: stored)))! }
}

/// What a client knows after some pages: a row is taken only if its seq is newer.
struct Replica: Equatable {
    var nodes: [NodeID: NodeRow] = [:]
    var entries: [NodeID: [Name: EntryRow]] = [:]
    var segments: [NodeID: [Int64: SegmentRow]] = [:]
    var blocks: [BlockID: BlockRow] = [:]
    var cursor: String?

    init() {}
    init(_ pages: [ChangesPage]) { for page in pages { apply(page) } }

    mutating func apply(_ page: ChangesPage) {
        for row in page.nodes where row.seq >= nodes[row.id]?.seq ?? .zero { nodes[row.id] = row }
        for row in page.entries where row.seq >= entries[row.parent]?[row.name]?.seq ?? .zero {
            entries[row.parent, default: [:]][row.name] = row
        }
        for row in page.segments where row.seq >= segments[row.node]?[row.index]?.seq ?? .zero {
            segments[row.node, default: [:]][row.index] = row
        }
        for row in page.blocks { blocks[row.id] = row }
        cursor = page.cursor
    }

    /// Without tombstones and what belongs to deleted nodes.
    var live: Replica {
        var live = self
        live.cursor = nil
        live.nodes = nodes.filter { !$0.value.deleted }
        live.entries = entries.mapValues { $0.filter { $0.value.node != nil } }.filter { !$0.value.isEmpty }
        live.segments = segments.filter { live.nodes[$0.key] != nil }
            .mapValues { $0.filter { !$0.value.extents.isEmpty } }.filter { !$0.value.isEmpty }
        return live
    }
}
