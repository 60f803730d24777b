import DbxModel
import DbxServerCore
import DbxTestKit
import Foundation

/// A real server core on a temporary directory, with one account. Its data can be put back to what they were.
final class TestServer {
    private(set) var server: Server
    let time: FakeTime
    private let directory: TemporaryDirectory
    private var data: String
    private var lives = 0

    init(time: FakeTime) throws {
        self.time = time
        directory = TemporaryDirectory()
        data = directory.path + "/data"
        server = try Self.open(data, time)
        _ = try server.addUser(name: "ann", password: "correct horse")
    }

    private static func open(_ path: String, _ time: FakeTime) throws -> Server {
        let server = try Server.open(configuration(path, time))
        try server.startServing()
        return server
    }

    private static func configuration(_ path: String, _ time: FakeTime) -> ServerConfiguration {
        ServerConfiguration(dataDirectory: path, version: "test", passwordCost: .cheap, time: time)
    }

    /// A name for what is there now.
    func backUp() throws -> String {
        lives += 1
        let backup = directory.path + "/backup-\(lives)"
        _ = try server.backup(to: backup, includeKey: true)
        return backup
    }

    /// As with `dbxfs-server restore`, or, not `isRestored`, by copying the files, of which the server knows nothing.
    func putBack(_ backup: String, isRestored: Bool) throws {
        lives += 1
        data = directory.path + "/data-\(lives)"
        if isRestored {
            _ = try Server.restore(from: backup, Self.configuration(data, time))
        } else {
            try FileManager.default.copyItem(atPath: backup, toPath: data)
        }
        server = try Self.open(data, time)
    }

    /// Cursors that do not stand at the head are too old.
    func forgetRemovals() throws { try ForgottenRemovals.make(in: data) }
}
