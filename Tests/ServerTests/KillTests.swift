import DbxModel
import DbxTestKit
import DbxWire
import Foundation
import Synchronization
import Testing

/// Kills the server at random moments while several devices upload and commit.
@Suite(.timeLimit(.minutes(2)))
struct KillTests {
    private struct Answered: Sendable {
        var name: String
        var block: BlockID
        var bytes: [UInt8]
    }

    private final class Answers: Sendable {
        let files = Mutex<[Answered]>([])
    }

    @Test func `whatever was answered is there after a kill, again and again`() throws {
        let entropy = SeededEntropy(seed: testSeeds(1)[0])
        nonisolated(unsafe) let server = try ServerProcess.start()
        try server.addUser("alice", password: "correct horse")
        let answered = Answers()
        for round in 0..<5 {
            let enough = answered.files.withLock { $0.count } + 3 + entropy.number(below: 12)
            let workers = DispatchGroup()
            for worker in 0..<3 {
                workers.enter()
                Thread.detachNewThread {
                    defer { workers.leave() }
                    // Until the server is gone.
                    try? Self.work(server, prefix: "\(round)-\(worker)-") { file in
                        answered.files.withLock { $0.append(file) }
                    }
                }
            }
            do {
                defer {
                    server.kill()
                    workers.wait()
                }
                try Shell.eventually("some are answered") { answered.files.withLock { $0.count } >= enough }
            }
            let check = try server.run(["fsck"])
            #expect(check.code == 0, "round \(round): \(check.standardOutput)")
            try server.restart()
        }
        let api = try API(server)
        try api.logIn()
        let grant = try #require(try api.session().namespaces.first)
        let here = ["namespace": grant.id.hex]
        let names = Set(
            try api.call("GET", .listing, here.merging(["node": grant.rootNode.hex]) { $1 }, query: "limit=5000")
                .decode(ListingPage.self).entries.map(\.name.display))
        let files = answered.files.withLock { $0 }
        #expect(files.count > 10)
        for file in files {
            #expect(names.contains(file.name))
            let stored = try api.call("GET", .block, here.merging(["block": file.block.hex]) { $1 }, expecting: 200)
            #expect(stored.body == file.bytes)
        }
    }

    private static func work(
        _ server: ServerProcess, prefix: String, _ answered: (Answered) -> Void
    ) throws {
        let api = try API(server)
        try api.logIn(device: prefix)
        let grant = try #require(try api.session().namespaces.first)
        for number in 0... {
            let (id, bytes) = API.block(bytes: 20_000)
            guard try api.upload(bytes, as: id, namespace: grant.id).status == 204 else { return }
            let commit = API.makingFile("\(prefix)\(number)", of: id, bytes: Int64(bytes.count), in: grant)
            let answer = try api.call("POST", .commits, ["namespace": grant.id.hex], json: commit)
            guard answer.status == 200 else { return }
            answered(Answered(name: "\(prefix)\(number)", block: id, bytes: bytes))
        }
    }
}
