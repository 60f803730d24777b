import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSystem
import Foundation
import Synchronization

/// A file system on a store of its own in a temporary directory, with fakes for everything around it.
final class Fixture {
    private let configuration: StoreConfiguration
    private let ownership: Ownership
    private let limits: FileSystemLimits
    private let uploads: @Sendable () -> UploadProgress?
    private(set) var shared: SharedStore
    let blocks: FakeBlocks
    let events = RecordingEvents()
    let notices = RecordingNotifier()
    private(set) var fileSystem: FileSystem
    let caller = Caller(uid: 1000, gid: 1000)

    init(
        ownership: Ownership = .everythingIs(uid: 1000, gid: 1000), stagingLimitBytes: Int64 = 1 << 30,
        cacheLimitBytes: Int64 = 1 << 30, limits: FileSystemLimits = FileSystemLimits(),
        uploads: @escaping @Sendable () -> UploadProgress? = { nil }
    ) throws {
        configuration = StoreConfiguration(
            directory: NSTemporaryDirectory() + "/dbxfs-fs-\(UUID().uuidString)", cacheLimitBytes: cacheLimitBytes,
            stagingLimitBytes: stagingLimitBytes, freeSpaceFloorBytes: 1 << 20)
        self.ownership = ownership
        self.limits = limits
        self.uploads = uploads
        shared = SharedStore(try LocalStore(configuration))
        try shared.withStore { store in
            try store.makeRoot(NodeID(from: SystemEntropy()), now: SystemTime().now())
        }
        blocks = FakeBlocks(shared)
        fileSystem = try FileSystem(
            shared: shared, blocks: blocks, time: SystemTime(), ownership: ownership, events: events,
            uploads: uploads, limits: limits)
        fileSystem.setNotifier(notices)
    }

    /// Ends the file system and opens another on the same store, as a new daemon does.
    func restart() throws {
        fileSystem.shutdown()
        let old = configuration.directory
        try FileManager.default.moveItem(atPath: old, toPath: old + "-moved")
        try FileManager.default.copyItem(atPath: old + "-moved", toPath: old)
        try FileManager.default.removeItem(atPath: old + "-moved")
        shared = SharedStore(try LocalStore(configuration))
        blocks.use(shared)
        fileSystem = try FileSystem(
            shared: shared, blocks: blocks, time: SystemTime(), ownership: ownership, events: events,
            uploads: uploads, limits: limits)
        fileSystem.setNotifier(notices)
    }

    /// From now on the disk does not give what was written to it.
    func loseSegments() throws {
        let directory = configuration.directory + "/segments"
        for name in try FileManager.default.contentsOfDirectory(atPath: directory) {
            truncate(directory + "/" + name, 0)
        }
    }

    func close() {
        fileSystem.shutdown()
        try? FileManager.default.removeItem(atPath: configuration.directory)
    }

    // MARK: Short forms

    @discardableResult
    func makeFile(_ name: String, in parent: InodeNumber = .root, mode: UInt16 = 0o644) throws -> InodeNumber {
        try fileSystem.make(
            NodeBlueprint(kind: .file, permissions: mode), named: Name(name)!, in: parent, by: caller
        ).number
    }

    @discardableResult
    func makeDirectory(_ name: String, in parent: InodeNumber = .root, mode: UInt16 = 0o755) throws -> InodeNumber {
        try fileSystem.make(
            NodeBlueprint(kind: .directory, permissions: mode), named: Name(name)!, in: parent, by: caller
        ).number
    }

    func lookup(_ name: String, in parent: InodeNumber = .root) throws -> FileAttributes? {
        try fileSystem.lookup(Name(name)!, in: parent)
    }

    func write(_ bytes: [UInt8], to number: InodeNumber, at offset: Int64 = 0) throws {
        guard try fileSystem.writeAtOnce(bytes.span.bytes, to: number, at: offset) == bytes.count else {
            throw Errno.noSpace
        }
    }

    func read(_ number: InodeNumber, at offset: Int64 = 0, count: Int = 1 << 20) throws -> [UInt8] {
        let opened = try fileSystem.open(number, options: [], by: caller)
        defer { fileSystem.release(opened.handle) }
        return try read(opened.handle, at: offset, count: count)
    }

    func read(_ handle: DbxFileSystem.FileHandle, at offset: Int64, count: Int) throws -> [UInt8] {
        let receiver = Receiver()
        var now: [UInt8]?
        try withUnsafeTemporaryAllocation(byteCount: max(1, count), alignment: 16) { memory in
            let buffer = UnsafeMutableRawBufferPointer(rebasing: memory[..<count])
            if let done = try fileSystem.readAtOnce(handle, at: offset, into: buffer) { now = [UInt8](buffer[..<done]) }
        }
        if let now { return now }
        _ = fileSystem.read(handle, at: offset, count: count, receiver: receiver)
        return try receiver.wait()
    }

    func rename(
        _ name: String, in parent: InodeNumber = .root, to newName: String, of newParent: InodeNumber = .root,
        mode: RenameMode = .replace
    ) throws {
        let rename = Rename(Name(name)!, in: parent, to: Name(newName)!, in: newParent, mode: mode)
        if try fileSystem.renameAtOnce(rename) { return }
        let outcome = Monitor<Result<Void, Errno>?>(nil)
        fileSystem.renameAfterFlush(rename) { result in outcome.update { $0 = result } }
        try outcome.wait { $0 }!.get()
    }

    func synchronize(_ number: InodeNumber) throws {
        let outcome = Monitor<Result<Void, Errno>?>(nil)
        fileSystem.synchronize(number) { result in outcome.update { $0 = result } }
        try outcome.wait { $0 }!.get()
    }

    func names(in directory: InodeNumber = .root) throws -> [String] {
        var names: [String] = []
        var offset: Int64 = 0
        while true {
            let items = try fileSystem.list(directory, after: offset, limit: 7, withAttributes: false)
            guard let last = items.last else { return names }
            names += items.map { String(decoding: $0.name, as: UTF8.self) }
            offset = last.next
        }
    }

    func attributes(_ number: InodeNumber) throws -> FileAttributes { try fileSystem.attributes(of: number) }

    /// A file as a pull brings it: nothing of its content is here. Each run of `bytes` becomes a block.
    @discardableResult
    func makeRemoteFile(_ name: String, _ bytes: [UInt8], blockBytes: Int = 64 << 10) throws -> InodeNumber {
        let id = NodeID(from: SystemEntropy())
        return try shared.withStore { store in
            try store.transaction {
                try putRemote(id, bytes, blockBytes: blockBytes, seq: Seq(2), in: store)
                try store.putAgreedEntry(
                    parent: try store.node(InodeNumber.root)!.id, name: Name(name)!, node: id, seq: Seq(2))
                return try store.node(id)!.number
            }
        }
    }

    /// The same for a new content of a file that is known.
    func replaceRemoteContent(of number: InodeNumber, _ bytes: [UInt8]) throws {
        try shared.withStore { store in
            try store.transaction {
                try putRemote(try store.node(number)!.id, bytes, blockBytes: 64 << 10, seq: Seq(3), in: store)
            }
        }
    }

    private func putRemote(_ id: NodeID, _ bytes: [UInt8], blockBytes: Int, seq: Seq, in store: LocalStore) throws {
        let entropy = SystemEntropy()
        let now = SystemTime().now()
        try store.putAgreedNode(
            AgreedNode(
                id: id, kind: .file, attributes: NodeAttributes(mode: 0o644, mtime: now, ctime: now, birthTime: now),
                seq: seq, attributesSeq: seq, contentSeq: seq, size: Int64(bytes.count), target: nil))
        var extents: [Extent] = []
        for start in stride(from: 0, to: bytes.count, by: blockBytes) {
            let part = Array(bytes[start..<min(start + blockBytes, bytes.count)])
            let block = BlockID(bytes: entropy.bytes(32))!
            try store.putBlocks([
                AgreedBlock(
                    id: block, wrap: [1], key: KeyID(from: entropy), plainBytes: Int64(part.count),
                    storedBytes: Int64(part.count))
            ])
            blocks.add(try store.blockNumber(block)!, part)
            extents.append(Extent(offset: Int64(start), length: Int64(part.count), block: block, blockOffset: 0))
        }
        try store.putAgreedSegment(node: id, index: 0, extents: extents)
    }
}

/// Runs `body` with a fixture that is gone afterwards.
@discardableResult
func withFixture<Result>(
    ownership: Ownership = .everythingIs(uid: 1000, gid: 1000), stagingLimitBytes: Int64 = 1 << 30,
    cacheLimitBytes: Int64 = 1 << 30, limits: FileSystemLimits = FileSystemLimits(),
    uploads: @escaping @Sendable () -> UploadProgress? = { nil }, _ body: (Fixture) throws -> Result
) throws -> Result {
    let fixture = try Fixture(
        ownership: ownership, stagingLimitBytes: stagingLimitBytes, cacheLimitBytes: cacheLimitBytes, limits: limits,
        uploads: uploads)
    defer { fixture.close() }
    return try body(fixture)
}
