import DbxServerStores
import DbxTestKit
import Foundation
import Testing

/// The shared dialect on PostgreSQL: a private cluster prepares the schema and every statement. Fails where PostgreSQL
/// cannot be started; `scripts/test` installs it.
struct PostgreSQLTests {
    @Test("PostgreSQL takes the schema and prepares every statement", .timeLimit(.minutes(2)))
    func preparesEverything() throws {
        let cluster = try PostgreSQLCluster()
        let schema = [StatementCatalogue.versionTable] + Schema.versions.joined().map(SQLDialect.postgreSQL.spell)
        let prepared = StatementCatalogue.all.enumerated().map { index, statement in
            "PREPARE s\(index) AS \(statement.sql.replacing(/\?(\d+)/) { "$\($0.1)" })"
        }
        let script = (schema + prepared).map { $0 + ";\n" }.joined()
        let result = try cluster.run(script)
        #expect(result.code == 0, "\(result.output)")
    }

    @Test("no two statements have the same text")
    func statementsDiffer() {
        let texts = StatementCatalogue.all.map(\.sql)
        #expect(Set(texts).count == texts.count)
    }
}

/// A database cluster of its own on a Unix socket in a temporary directory, without fsync. Stopped and removed with the
/// object. PostgreSQL refuses to run as root, so root hands it to an ordinary user.
final class PostgreSQLCluster {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private let directory = TemporaryDirectory()
    private let binaries: String
    private var server: Process?

    init() throws {
        let root = "/usr/lib/postgresql"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        guard let newest = versions.compactMap({ Int($0) }).max() else {
            throw Failure(description: "PostgreSQL is not installed below \(root): apt-get install postgresql")
        }
        binaries = "\(root)/\(newest)/bin"
        if getuid() == 0 { try check(Self.run(["chown", Self.user, directory.path])) }
        let data = directory.path + "/data"
        try check(run("initdb", ["-D", data, "-A", "trust", "-U", "dbxfs", "-E", "UTF8", "--locale=C", "--no-sync"]))
        // Not by pg_ctl: what it starts keeps open what `Process` waits for.
        let arguments = ["-D", data, "-k", directory.path, "-c", "listen_addresses=", "-c", "fsync=off"]
        server = try Self.start(command("postgres", arguments), log: directory.path + "/log")
        try waitUntilReady()
    }

    deinit {
        server?.terminate()
        server?.waitUntilExit()
    }

    private func waitUntilReady() throws {
        for _ in 0..<300 where server?.isRunning == true {
            if try run("pg_isready", ["-q", "-h", directory.path]).code == 0 { return }
            Thread.sleep(forTimeInterval: 0.1)
        }
        let log = FileManager.default.contents(atPath: directory.path + "/log") ?? Data()
        throw Failure(description: "PostgreSQL did not start: \(String(decoding: log, as: UTF8.self))")
    }

    /// Runs a script up to its first error.
    func run(_ script: String) throws -> (code: Int32, output: String) {
        let file = directory.path + "/script.sql"
        try script.write(toFile: file, atomically: false, encoding: .utf8)
        chmod(file, 0o644)
        return try run(
            "psql",
            ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", directory.path, "-U", "dbxfs", "-d", "postgres", "-f", file])
    }

    private static let user = getpwnam("postgres") != nil ? "postgres" : "nobody"

    private func command(_ program: String, _ arguments: [String]) -> [String] {
        let command = ["\(binaries)/\(program)"] + arguments
        guard getuid() == 0 else { return command }
        return ["setpriv", "--reuid=\(Self.user)", "--regid=\(Self.user)", "--clear-groups"] + command
    }

    private func run(_ program: String, _ arguments: [String]) throws -> (code: Int32, output: String) {
        try Self.run(command(program, arguments))
    }

    private static func run(_ command: [String]) throws -> (code: Int32, output: String) {
        let log = TemporaryDirectory()
        let process = try start(command, log: log.path + "/output")
        process.waitUntilExit()
        let output = FileManager.default.contents(atPath: log.path + "/output") ?? Data()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }

    private static func start(_ command: [String], log: String) throws -> Process {
        try Data().write(to: URL(fileURLWithPath: log))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.currentDirectoryURL = URL(fileURLWithPath: "/")
        process.standardInput = FileHandle.nullDevice
        let output = try #require(FileHandle(forWritingAtPath: log))
        process.standardOutput = output
        process.standardError = output
        try process.run()
        return process
    }

    private func check(_ result: (code: Int32, output: String)) throws {
        guard result.code == 0 else { throw Failure(description: result.output) }
    }
}
