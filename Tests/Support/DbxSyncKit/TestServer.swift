import DbxModel
import DbxServerCore
import DbxTestKit
import Foundation

/// A real server core on a temporary directory, with one account. Its data can be put back to what they were.
package final class TestServer {
    package private(set) var server: Server
    package let time: FakeTime
    private let directory: TemporaryDirectory
    private var data: String
    private var lives = 0
    private let entropy: any Entropy

    /// `inMemory`: where syncs cost nothing.
    package init(time: FakeTime, entropy: any Entropy = SystemEntropy(), inMemory: Bool = false) throws {
        self.time = time
        self.entropy = entropy
        directory = TemporaryDirectory(inMemory: inMemory)
        data = directory.path + "/data"
        server = try Self.open(Self.configuration(data, time, entropy))
        _ = try server.addUser(name: "ann", password: "correct horse")
    }

    private static func open(_ configuration: ServerConfiguration) throws -> Server {
        let server = try Server.open(configuration)
        try server.startServing()
        return server
    }

    private static func configuration(
        _ path: String, _ time: FakeTime, _ entropy: any Entropy
    ) -> ServerConfiguration {
        ServerConfiguration(dataDirectory: path, version: "test", passwordCost: .cheap, time: time, entropy: entropy)
    }

    private var configuration: ServerConfiguration { Self.configuration(data, time, entropy) }

    /// A name for what is there now.
    package func backUp() throws -> String {
        lives += 1
        let backup = directory.path + "/backup-\(lives)"
        _ = try server.backup(to: backup, includeKey: true)
        return backup
    }

    /// As with `dbxfs-server restore`, or, not `isRestored`, by copying the files, of which the server knows nothing.
    package func putBack(_ backup: String, isRestored: Bool) throws {
        lives += 1
        data = directory.path + "/data-\(lives)"
        if isRestored {
            _ = try Server.restore(from: backup, configuration)
        } else {
            try FileManager.default.copyItem(atPath: backup, toPath: data)
        }
        server = try Self.open(configuration)
    }

    /// Cursors that do not stand at the head are too old.
    package func forgetRemovals() throws { try ForgottenRemovals.make(in: data) }
}
