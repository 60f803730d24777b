import DbxModel
import DbxTestKit
import Testing

@testable import DbxLocalStore

/// What a store does when it is opened again.
@Suite("A store that is opened again") struct OpeningTests {
    private func file(_ name: String, in store: LocalStore) throws -> LocalNode {
        let new = NewNode(kind: .file, mode: 0o644)
        return try store.create(new, in: .root, #require(Name(name)), now: Timestamp(nanoseconds: 1))
    }

    private func makeStore(_ configuration: StoreConfiguration, files: Int) throws -> LocalStore {
        let store = try LocalStore(configuration)
        try store.makeRoot(NodeID(from: SystemEntropy()), now: Timestamp(nanoseconds: 1))
        try store.transaction { for index in 0..<files { _ = try file("f\(index)", in: store) } }
        try store.finishEpoch(store.beginEpoch())
        return store
    }

    @Test func `looks at few rows, however many there are`() throws {
        var instructions: [Int64] = []
        for files in [10, 3_000] {
            let directory = TemporaryDirectory(inMemory: true)
            let configuration = StoreConfiguration(directory: directory.path)
            _ = try makeStore(configuration, files: files)
            instructions.append(try LocalStore(configuration).databaseInstructions)
        }
        #expect(instructions[1] < instructions[0] + 3_000)
    }

    @Test func `gives out no number twice, also after operations that failed, and after a store of before`() throws {
        struct Refused: Error {}
        let directory = TemporaryDirectory(inMemory: true)
        let configuration = StoreConfiguration(directory: directory.path)
        var last: (change: Int64, cookie: Int64) = (0, 0)
        for start in 0..<4 {
            let store = try start == 0 ? makeStore(configuration, files: 3) : LocalStore(configuration)
            if start == 2 { try store.setMeta("counters", nil) }
            #expect(throws: StoreError.self) {
                try store.transaction {
                    _ = try file("refused", in: store)
                    throw Refused()
                }
            }
            let node = try file("start\(start)", in: store)
            let cookie = try #require(
                store.list(.root, after: 0, limit: .max).last { $0.number == node.number }?.cookie)
            #expect(node.change > last.change && cookie > last.cookie)
            last = (node.change, cookie)
        }
    }
}
