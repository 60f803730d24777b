import DbxFileSystem
import DbxMount
import DbxSystem
import Foundation

/// A real mount of a fixture's file system, gone when `body` returns. No network, no server.
@discardableResult
func withMountedTree<Result>(
    ownership: Ownership = .numbers(uid: getuid(), gid: getgid()), allowOther: Bool = false,
    _ body: (MountedTree) throws -> Result
) throws -> Result {
    try withFixture(ownership: ownership) { fixture in
        let tree = try MountedTree(fixture, allowOther: allowOther)
        defer { tree.end() }
        return try body(tree)
    }
}

final class MountedTree {
    let path: String
    let fixture: Fixture
    let mount: Mount

    init(_ fixture: Fixture, allowOther: Bool = false) throws {
        self.fixture = fixture
        path = NSTemporaryDirectory() + "/dbxfs-mount-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        mount = try Mount(fixture.fileSystem, at: path, allowOther: allowOther)
    }

    func end() {
        mount.stop()
        mount.waitUntilEnded(seconds: 10)
        rmdir(path)
    }

    /// Runs a shell script in the mount's root and returns what it printed; throws with its output when it fails.
    @discardableResult
    func run(_ script: String) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = ["-c", "set -euo pipefail; cd \"$1\"; " + script, "bash", path]
        process.environment = ProcessInfo.processInfo.environment.merging(
            [
                "LC_ALL": "C", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b",
                "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b",
            ]) { $1 }
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        process.standardInput = Foundation.FileHandle.nullDevice
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw ScriptFailure(description: "exit code \(process.terminationStatus) of: \(script)\n\(text)")
        }
        return text.trimmingCharacters(in: .newlines)
    }

    static func has(_ tool: String) -> Bool {
        ["/usr/bin/", "/bin/", "/usr/sbin/"].contains { access($0 + tool, X_OK) == 0 }
    }
}

struct ScriptFailure: Error, CustomStringConvertible {
    let description: String
}
