import DbxModel
import DbxTestKit
import DbxWire
import Foundation
import Testing

@Suite(.timeLimit(.minutes(1)))
struct LifecycleTests {
    @Test func `a killed server starts again with all that it answered`() throws {
        let api = try API.loggedIn()
        let grant = try #require(try api.session().namespaces.first)
        for index in 0..<5 {
            try api.call(
                "POST", .commits, ["namespace": grant.id.hex], json: API.makingDirectory("d\(index)", in: grant),
                expecting: 200)
        }
        api.server.kill()
        try api.server.restart()
        let page = try api.call("GET", .changes, ["namespace": grant.id.hex], expecting: 200).decode(ChangesPage.self)
        #expect(page.entries.count == 5)
    }

    @Test func `a stopped server exits with 0 and closes idle connections`() throws {
        let server = try ServerProcess.start()
        let idle = try RawHTTP(port: server.port)
        #expect(try idle.request("GET", Route.health.rawValue).status == 200)
        #expect(server.stop() == 0)
        #expect(idle.isClosed(within: 1))
    }

    @Test func `many writers at once all get their own answer`() async throws {
        let api = try API.loggedIn()
        let grant = try #require(try api.session().namespaces.first)
        let (port, token, commits) = (api.server.port, try #require(api.token), 40)
        let seqs = try await withThrowingTaskGroup(of: Seq.self) { group in
            for index in 0..<commits {
                group.addTask {
                    let body = try WireJSON.encode(API.makingDirectory("w\(index)", in: grant))
                    let answer = try RawHTTP(port: port).request(
                        "POST", "/v1/namespaces/\(grant.id)/commits", headers: ["Authorization": "Bearer \(token)"],
                        body: body)
                    return try answer.decode(CommitResult.self).seq
                }
            }
            return try await group.reduce(into: [Seq]()) { $0.append($1) }
        }
        #expect(Set(seqs).count == commits)
    }

    @Test func `one data directory takes one server`() throws {
        let server = try ServerProcess.start()
        let second = try ServerProcess.run(["serve", "--data", server.dataDirectory, "--listen", "127.0.0.1:0"])
        #expect(second.code == 2 && second.standardError.contains("Another dbxfs-server uses \(server.dataDirectory)"))
        #expect(try server.run(["status", "--json"]).code == 0)
    }

    @Test func `an address in use is named`() throws {
        let server = try ServerProcess.start()
        let data = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
        defer { try? FileManager.default.removeItem(atPath: data) }
        let second = try ServerProcess.run(["serve", "--data", data, "--listen", "127.0.0.1:\(server.port)"])
        #expect(second.code == 2 && second.standardError.contains("is in use"))
    }

    @Test func `a public address speaks TLS only, with one certificate for good`() throws {
        let server = try ServerProcess.start(listen: "0.0.0.0:0")
        #expect(server.url.hasPrefix("https://"))
        #expect(server.greeting.hasPrefix("Fingerprint: SHA256:"))
        let fingerprint = try server.run(["fingerprint"]).standardOutput
        #expect("Fingerprint: " + fingerprint == server.greeting + "\n")
        let attributes = try FileManager.default.attributesOfItem(atPath: server.dataDirectory + "/tls-key.pem")
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        let plain = try RawHTTP(port: server.port, seconds: 5)
        try plain.sendRequest("GET", Route.health.rawValue)
        #expect((try? plain.readResponse()) == nil)

        let curl = Process()
        curl.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        curl.arguments = [
            "curl", "-sS", "--fail", "--cacert", server.dataDirectory + "/tls-cert.pem",
            "https://localhost:\(server.port)\(Route.health.rawValue)",
        ]
        let output = Pipe()
        curl.standardOutput = output
        try curl.run()
        curl.waitUntilExit()
        #expect(curl.terminationStatus == 0)
        #expect(String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self).contains("\"ok\""))
        try server.restart(listen: "0.0.0.0")
        #expect("Fingerprint: " + fingerprint == server.greeting + "\n")
    }

    @Test func `a sender that asks first is told to go on`() throws {
        let server = try ServerProcess.start()
        let connection = try RawHTTP(port: server.port)
        let path = Route.login.rawValue
        try connection.send(
            Array("POST \(path) HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n".utf8))
        #expect(try connection.readHead().status == 100)
        try connection.send(Array("{}".utf8))
        #expect(try connection.readResponse().status == 400)
    }

    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/usr/bin/systemd-analyze"), "needs systemd-analyze"))
    func `the systemd unit is accepted by systemd`() throws {
        let unit = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appending(path: "../../systemd/dbxfs-server.service")
        let directory = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let copy = directory.appending(path: "dbxfs-server.service")
        try String(contentsOf: unit, encoding: .utf8).replacing(
            "/usr/local/bin/dbxfs-server", with: ServerProcess.binary
        )
        .write(to: copy, atomically: true, encoding: .utf8)
        let process = Process()
        let errors = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/systemd-analyze")
        process.arguments = ["verify", copy.path]
        process.standardError = errors
        try process.run()
        let complaints = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(String(decoding: complaints, as: UTF8.self))")
    }

    @Test func `systemd is told when the server answers and when it stops`() throws {
        let socket = try NotificationSocket()
        let server = try ServerProcess.start(environment: ["NOTIFY_SOCKET": socket.path])
        #expect(try socket.receive() == "READY=1")
        server.stop()
        #expect(try socket.receive() == "STOPPING=1")
    }
}
