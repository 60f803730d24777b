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
    private var data: String { directory.path + "/data" }

    init() throws {
        let root = "/usr/lib/postgresql"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        guard let newest = versions.compactMap({ Int($0) }).max() else {
            throw Failure(description: "PostgreSQL is not installed below \(root): apt-get install postgresql")
        }
        binaries = "\(root)/\(newest)/bin"
        if getuid() == 0 { try check(Self.run(["chown", Self.user, directory.path])) }
        try check(run("initdb", ["-D", data, "-A", "trust", "-U", "dbxfs", "-E", "UTF8", "--locale=C", "--no-sync"]))
        let options = "-k \(directory.path) -c listen_addresses='' -c fsync=off"
        try check(run("pg_ctl", ["-D", data, "-o", options, "-l", directory.path + "/log", "-w", "start"]))
    }

    deinit { _ = try? run("pg_ctl", ["-D", data, "-m", "immediate", "-w", "stop"]) }

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

    private func run(_ program: String, _ arguments: [String]) throws -> (code: Int32, output: String) {
        let command = ["\(binaries)/\(program)"] + arguments
        guard getuid() == 0 else { return try Self.run(command) }
        return try Self.run(["setpriv", "--reuid=\(Self.user)", "--regid=\(Self.user)", "--clear-groups"] + command)
    }

    private static func run(_ command: [String]) throws -> (code: Int32, output: String) {
        // A file, no pipe: the server that pg_ctl starts would keep a pipe open.
        let log = TemporaryDirectory()
        let path = log.path + "/output"
        try Data().write(to: URL(fileURLWithPath: path))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.currentDirectoryURL = URL(fileURLWithPath: "/")
        process.standardInput = FileHandle.nullDevice
        let output = try #require(FileHandle(forWritingAtPath: path))
        process.standardOutput = output
        process.standardError = output
        try process.run()
        process.waitUntilExit()
        let text = String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
        return (process.terminationStatus, text)
    }

    private func check(_ result: (code: Int32, output: String)) throws {
        guard result.code == 0 else { throw Failure(description: result.output) }
    }
}
