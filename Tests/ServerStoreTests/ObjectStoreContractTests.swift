import Crypto
import DbxModel
import DbxServerStores
import DbxTestKit
import Testing

/// One way to get a new, empty `ObjectStore`.
struct ObjectImplementation: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let make: @Sendable (TemporaryDirectory) throws -> any ObjectStore

    static let all = [
        ObjectImplementation(testDescription: "directory") { try DirectoryObjectStore(root: $0.path) }
    ]
}

/// What every `ObjectStore` promises.
@Suite(.timeLimit(.minutes(1)))
struct ObjectStoreContractTests {
    private let directory = TemporaryDirectory()
    private let entropy = SeededEntropy(seed: 11)

    private func key(of bytes: [UInt8], generation: Int64 = 1) -> ObjectKey {
        ObjectKey(block: BlockID(bytes: Array(SHA256.hash(data: bytes)))!, generation: generation)
    }

    @discardableResult
    private func put(_ bytes: [UInt8], in store: any ObjectStore, generation: Int64 = 1) throws -> ObjectKey {
        let key = key(of: bytes, generation: generation)
        let staged = try store.stage(UploadID(from: entropy))
        try staged.append(bytes)
        try staged.promote(to: key, length: Int64(bytes.count))
        return key
    }

    @Test("bytes that came in pieces are read back by range", arguments: ObjectImplementation.all)
    func pieces(_ implementation: ObjectImplementation) throws {
        let store = try implementation.make(directory)
        let bytes = entropy.bytes(300_000)
        let key = key(of: bytes)
        let staged = try store.stage(UploadID(from: entropy))
        #expect(try store.open(key) == nil)
        for start in stride(from: 0, to: bytes.count, by: 70_001) {
            try staged.append(Array(bytes[start..<min(start + 70_001, bytes.count)]))
        }
        try staged.promote(to: key, length: 300_000)
        let object = try #require(try store.open(key))
        #expect(object.length == 300_000)
        #expect(try object.read(offset: 0, count: bytes.count) == bytes)
        #expect(try object.read(offset: 123_456, count: 7) == Array(bytes[123_456..<123_463]))
        #expect(try store.length(of: key) == 300_000)
    }

    @Test("wrong length or hash makes no object", arguments: ObjectImplementation.all)
    func wrongBytes(_ implementation: ObjectImplementation) throws {
        let store = try implementation.make(directory)
        let bytes = entropy.bytes(100)
        let short = try store.stage(UploadID(from: entropy))
        try short.append(Array(bytes.dropLast()))
        #expect(throws: StagingError.wrongLength) { try short.promote(to: key(of: bytes), length: 100) }
        let other = try store.stage(UploadID(from: entropy))
        try other.append(entropy.bytes(100))
        #expect(throws: StagingError.wrongHash) { try other.promote(to: key(of: bytes), length: 100) }
        #expect(try store.keys(after: nil, limit: 9) == [])
    }

    @Test("an object that is there stays, and promoting it again succeeds", arguments: ObjectImplementation.all)
    func again(_ implementation: ObjectImplementation) throws {
        let store = try implementation.make(directory)
        let bytes = entropy.bytes(1_000)
        let key = try put(bytes, in: store)
        let before = try #require(try store.open(key))
        try put(bytes, in: store)
        #expect(try before.read(offset: 0, count: 1_000) == bytes)
        #expect(try store.keys(after: nil, limit: 9) == [key])
    }

    @Test("two uploads under one id do not disturb each other", arguments: ObjectImplementation.all)
    func sameUpload(_ implementation: ObjectImplementation) throws {
        let store = try implementation.make(directory)
        let (upload, bytes) = (UploadID(from: entropy), entropy.bytes(10_000))
        let (one, two) = (try store.stage(upload), try store.stage(upload))
        try one.append(Array(bytes.prefix(5_000)))
        try two.append(bytes)
        try one.append(Array(bytes.suffix(5_000)))
        try two.promote(to: key(of: bytes), length: 10_000)
        try one.promote(to: key(of: bytes), length: 10_000)
        #expect(try store.open(key(of: bytes))?.read(offset: 0, count: 10_000) == bytes)
    }

    @Test("what is open stays readable when the object is deleted", arguments: ObjectImplementation.all)
    func deleted(_ implementation: ObjectImplementation) throws {
        let store = try implementation.make(directory)
        let bytes = entropy.bytes(1_000)
        let key = try put(bytes, in: store)
        let open = try #require(try store.open(key))
        try store.delete(key)
        try store.delete(key)
        #expect(try store.length(of: key) == nil)
        #expect(try open.read(offset: 990, count: 10) == Array(bytes.suffix(10)))
    }

    @Test("keys are listed in order, page by page, generations apart", arguments: ObjectImplementation.all)
    func listing(_ implementation: ObjectImplementation) throws {
        let store = try implementation.make(directory)
        var expected = try (0..<40).map { _ in try put(entropy.bytes(10), in: store) }
        let twice = entropy.bytes(10)
        expected += [try put(twice, in: store), try put(twice, in: store, generation: 2)]
        var found: [ObjectKey] = []
        while true {
            let page = try store.keys(after: found.last, limit: 7)
            if page.isEmpty { break }
            #expect(page.count <= 7)
            found += page
        }
        #expect(found == expected.sorted())
    }

    @Test("uploads that were cut short go", arguments: ObjectImplementation.all)
    func leftovers(_ implementation: ObjectImplementation) throws {
        let store = try implementation.make(directory)
        let bytes = entropy.bytes(100)
        let key = try put(bytes, in: store)
        let staged = try store.stage(UploadID(from: entropy))
        try staged.append(bytes)
        try store.removeStaged()
        staged.discard()
        #expect(try store.keys(after: nil, limit: 9) == [key])
    }

    @Test("an export is a directory store with the same objects", arguments: ObjectImplementation.all)
    func export(_ implementation: ObjectImplementation) throws {
        let store = try implementation.make(directory)
        let contents = (0..<20).map { _ in entropy.bytes(500) }
        let keys = try contents.map { try put($0, in: store) }
        let target = TemporaryDirectory()
        let totals = try store.export(to: target.path)
        #expect(totals.objects == 20 && totals.bytes == 10_000)
        // Again: what is there already is left.
        #expect(try store.export(to: target.path).objects == 20)
        try store.delete(keys[0])
        let copy = try DirectoryObjectStore(root: target.path)
        for (key, bytes) in zip(keys, contents) {
            #expect(try copy.open(key)?.read(offset: 0, count: 500) == bytes)
        }
    }

    @Test("an object put aside leaves its name to a new one, and stays for people", arguments: ObjectImplementation.all)
    func quarantine(_ implementation: ObjectImplementation) throws {
        let store = try implementation.make(directory)
        let bytes = entropy.bytes(500)
        let key = try put(bytes, in: store)
        let first = try #require(try store.quarantine(key))
        #expect(try store.open(key) == nil)
        #expect(try store.quarantine(key) == nil)
        #expect(try put(bytes, in: store) == key)
        #expect(try store.open(key)?.read(offset: 0, count: 500) == bytes)
        // One that was put aside before is not replaced.
        #expect(try store.quarantine(key).map { $0 != first } == true)
        #expect(try store.keys(after: nil, limit: 9).isEmpty)
        #expect(try store.foreignNames().isEmpty)
    }

    @Test(
        "names that are no object keys are refused",
        arguments: ["", "1", "ab.1", "\(String(repeating: "A", count: 64)).1"])
    func names(_ name: String) {
        #expect(ObjectKey(name: name) == nil)
        #expect(ObjectKey(name: String(repeating: "a", count: 64) + ".01") == nil)
        #expect(ObjectKey(name: String(repeating: "a", count: 64) + ".2")?.generation == 2)
    }
}

extension StagedObject {
    fileprivate func append(_ bytes: [UInt8]) throws(StoreError) { try append(bytes.span.bytes) }
}

extension OpenObject {
    /// Exactly `count` bytes from `offset`.
    fileprivate func read(offset: Int64, count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        try bytes.withUnsafeMutableBytes { try read(into: $0, offset: offset) }
        return bytes
    }
}
