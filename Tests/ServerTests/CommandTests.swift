import DbxModel
import DbxTestKit
import DbxWire
import Foundation
import Testing

/// The administrator's commands beside a running server, and their exit codes (docs/OPERATIONS.md).
@Suite(.timeLimit(.minutes(1)))
struct CommandTests {
    @Test func `accounts are made, listed, disabled, enabled and limited while the server runs`() throws {
        let api = try API.loggedIn(quota: "10G")
        let list = try api.server.run(["user", "list", "--json"])
        #expect(list.code == 0 && list.standardOutput.contains("10737418240"))
        #expect(try api.server.run(["user", "disable", "alice"]).code == 0)
        try api.call("GET", .session, expecting: 401)
        #expect(try api.server.run(["user", "enable", "alice"]).code == 0)
        try api.call("GET", .session, expecting: 200)
        #expect(try api.server.run(["user", "quota", "alice", "1.5G"]).code == 0)
        #expect(try api.session().namespaces[0].quota.limitBytes == 3 << 29)
        #expect(try api.server.run(["user", "quota", "alice", "none"]).code == 0)
        #expect(try api.session().namespaces[0].quota.limitBytes == nil)
        let changed = try api.server.run(
            ["user", "passwd", "alice", "--password-stdin", "--revoke-devices"], input: "another one\n")
        #expect(changed.code == 0)
        try api.call("GET", .session, expecting: 401)
        try api.call(
            "POST", .login, json: LoginRequest(user: "alice", password: "correct horse", device: "x"), expecting: 401)
    }

    @Test func `what is wrong with a command has a message and an exit code`() throws {
        let server = try ServerProcess.start()
        try server.addUser("alice", password: "correct horse")
        func code(_ arguments: [String], _ input: String = "") throws -> Int32 {
            let output = try server.run(arguments, input: input)
            if output.code != 0 { #expect(!output.standardError.isEmpty, "\(arguments)") }
            return output.code
        }
        #expect(try code(["user", "add", "alice", "--password-stdin"], "correct horse\n") == 4)
        #expect(try code(["user", "add", "bob", "--password-stdin"], "short\n") == 2)
        #expect(try code(["user", "add", "bob", "--password-stdin"], "") == 2)
        #expect(try code(["user", "add", "bob"], "") == 2)
        #expect(try code(["user", "add", "", "--password-stdin"], "correct horse\n") == 2)
        #expect(try code(["user", "disable", "nobody"]) == 3)
        #expect(try code(["user", "quota", "alice", "plenty"]) == 2)
        #expect(try code(["user", "frobnicate"]) == 2)
        #expect(try code(["serve", "--bogus"]) == 2)
        #expect(try code(["fingerprint"]) == 2)
        #expect(try ServerProcess.run(["version"]).standardOutput.hasPrefix("dbxfs-server "))
        #expect(try ServerProcess.run(["--help"]).code == 0)
    }

    @Test func `flags win over the environment, which wins over the file`() throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let file = directory.appending(path: "config.json")
        func effective(_ arguments: [String] = [], _ environment: [String: String] = [:]) throws -> ServerProcess.Output
        {
            try ServerProcess.run(["config", "--data", directory.path] + arguments, environment: environment)
        }
        try Data("{\"listen\": \"127.0.0.1:1111\", \"blockingThreads\": 3}".utf8).write(to: file)
        #expect(try effective().standardOutput.contains("127.0.0.1:1111"))
        #expect(try effective().standardOutput.contains("\"blockingThreads\" : 3"))
        let environment = ["DBXFS_SERVER_LISTEN": "127.0.0.1:2222"]
        #expect(try effective([], environment).standardOutput.contains("127.0.0.1:2222"))
        #expect(try effective(["--listen", "[::1]:3333"], environment).standardOutput.contains("[::1]:3333"))
        #expect(try effective(["--port", "4444"], environment).standardOutput.contains("127.0.0.1:4444"))

        try Data("{\"lissten\": \"x\"}".utf8).write(to: file)
        let unknown = try effective()
        #expect(unknown.code == 2 && unknown.standardError.contains("'lissten'"))
        try Data("{\"listen\": [1]}".utf8).write(to: file)
        #expect(try effective().code == 2)
        try Data("not JSON".utf8).write(to: file)
        #expect(try effective().code == 2)
        try Data("{}".utf8).write(to: file)
        #expect(try effective(["--listen", "nowhere"]).code == 2)
        #expect(try effective(["--tls-cert", "x.pem"]).code == 2)
        #expect(try effective(["--blocking-threads", "0"]).code == 2)
        #expect(try effective(["--config", "/nonexistent"]).code == 2)
    }

    @Test func `a backup of a running server restores to one that clients can use`() throws {
        let api = try API.loggedIn()
        let grant = try #require(try api.session().namespaces.first)
        let (id, bytes) = API.block(bytes: 50_000)
        try api.upload(bytes, as: id, namespace: grant.id)
        let here = ["namespace": grant.id.hex]
        try api.call(
            "POST", .commits, here, json: API.makingFile("f", of: id, bytes: 50_000, in: grant), expecting: 200)
        let page = try api.call("GET", .changes, here).decode(ChangesPage.self)

        #expect(try api.server.run(["fsck"]).code == 0)

        let root = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
        defer { try? FileManager.default.removeItem(atPath: root) }
        let backup = try api.server.run(["backup", root + "/backup", "--include-key"])
        #expect(backup.code == 0, "\(backup.standardError)")
        let restored = try ServerProcess.run(["restore", root + "/backup", "--data", root + "/data"])
        #expect(restored.code == 0, "\(restored.standardError)")
        #expect(try ServerProcess.run(["restore", root + "/nothing", "--data", root + "/other"]).code == 5)

        let second = try API(try ServerProcess.start(dataDirectory: root + "/data"))
        second.token = api.token
        #expect(try second.call("GET", .block, here.merging(["block": id.hex]) { $1 }, expecting: 200).body == bytes)
        try second.call("GET", .changes, here, query: "cursor=\(TourTests.escaped(page.cursor))", expecting: 410)
        second.server.stop()
    }

    @Test func `fsck finds a block that is damaged or missing, and rows that contradict others`() throws {
        let api = try API.loggedIn()
        let grant = try #require(try api.session().namespaces.first)
        let (id, bytes) = API.block(bytes: 50_000)
        try api.upload(bytes, as: id, namespace: grant.id)
        let here = ["namespace": grant.id.hex]
        try api.call(
            "POST", .commits, here, json: API.makingFile("f", of: id, bytes: 50_000, in: grant), expecting: 200)
        #expect(try api.server.run(["fsck", "--json"]).code == 0)
        let json = try api.server.run(["fsck", "--json"]).standardOutput
        let report = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any]
        #expect(report?["problems"] as? [String] == [] && report?["blocks"] as? Int == 1)
        let object = "$(find '\(api.server.dataDirectory)' -name '\(id.hex).*')"
        try Shell.script("o=\(object); chmod u+w $o; printf x | dd of=$o bs=1 seek=100 conv=notrunc status=none")
        let damaged = try api.server.run(["fsck"])
        #expect(damaged.code == 5 && damaged.standardOutput.contains("is damaged"), "\(damaged.standardOutput)")
        try Shell.script("rm \(object)")
        #expect(try api.server.run(["fsck"]).standardOutput.contains("is missing"))
        let database = "$(find '\(api.server.dataDirectory)' -maxdepth 1 -name '*.db' -o -maxdepth 1 -name '*.sqlite')"
        try Shell.script(
            "sqlite3 \(database) 'UPDATE namespaces SET used_bytes = used_bytes + 1; DELETE FROM segment_blocks; UPDATE nodes SET links = 9;'"
        )
        let text = try api.server.run(["fsck"]).standardOutput
        #expect(text.contains("another usage") && text.contains("another number of names"), "\(text)")
    }
    @Test func `fsck --repair needs the server stopped, says what it did, and names the files that lost bytes`() throws
    {
        let api = try API.loggedIn()
        let grant = try #require(try api.session().namespaces.first)
        let (id, bytes) = API.block(bytes: 50_000)
        try api.upload(bytes, as: id, namespace: grant.id)
        try api.call(
            "POST", .commits, ["namespace": grant.id.hex], json: API.makingFile("f", of: id, bytes: 50_000, in: grant),
            expecting: 200)
        let data = api.server.dataDirectory
        let object = "\(data)/blocks/objects/\(id.hex.prefix(2))/\(id.hex).1"
        try Shell.script("cp \(object) \(data)/saved; truncate -s 100 \(object)")
        let running = try api.server.run(["fsck", "--repair"])
        #expect(running.code == 2 && running.standardError.contains("Stop it first"), "\(running.standardError)")
        api.server.stop()

        let repaired = try api.server.run(["fsck", "--repair"])
        #expect(repaired.code == 5 && repaired.standardError.contains("from a backup"), "\(repaired.standardError)")
        #expect(repaired.standardOutput.contains("unreadable  alice:/f needs block \(id.hex)"))
        #expect(FileManager.default.fileExists(atPath: "\(data)/blocks/quarantine/\(id.hex).1"))
        try api.server.restart()
        let place = ["namespace": grant.id.hex, "block": id.hex]
        let lost = try api.call("GET", .block, place, expecting: 404)
        #expect(lost.text.contains("has lost the bytes"))
        api.server.stop()

        try Shell.script("cp \(data)/saved \(object)")
        let mended = try api.server.run(["fsck", "--repair", "--json"])
        #expect(mended.code == 0 && mended.standardOutput.contains("is back"), "\(mended.standardOutput)")
        try api.server.restart()
        #expect(try api.call("GET", .block, place, expecting: 200).body == bytes)
    }

    @Test func `a damaged database is not served, and the message says what to do`() throws {
        let server = try ServerProcess.start()
        server.stop()
        try Shell.script("printf 'no database' | dd of=\(server.dataDirectory)/metadata.db conv=notrunc status=none")
        for command in [["serve", "--listen", "127.0.0.1:0"], ["fsck"], ["fsck", "--repair"], ["status"]] {
            let output = try server.run(command)
            #expect(output.code == 5 && output.standardError.contains("restore"), "\(command) \(output.standardError)")
        }
    }
}
