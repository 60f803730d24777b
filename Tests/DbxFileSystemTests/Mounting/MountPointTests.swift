import DbxFileSystem
import DbxMount
import DbxSystem
import Foundation
import FuseLowLevel
import Testing

/// What `dbxfs mount` says of a directory that will not do.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct MountPointTests {
    private func refusal(_ path: String) -> FuseMountError? {
        do throws(FuseMountError) {
            _ = try MountPoint(preparing: path)
            return nil
        } catch {
            return error
        }
    }

    private func withDirectory(_ body: (String) throws -> Void) throws {
        let path = NSTemporaryDirectory() + "/dbxfs-point-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    @Test func `a missing directory, a file and a directory with files are refused`() throws {
        try withDirectory { path in
            #expect(refusal(path + "/none")?.reason == .missing)
            _ = FileManager.default.createFile(atPath: path + "/file", contents: nil)
            #expect(refusal(path + "/file")?.reason == .notADirectory)
            #expect(refusal(path)?.text.contains("not empty") == true)
        }
    }

    @Test func `a directory with a mount on it is refused`() throws {
        try withMountedTree { tree in
            #expect(refusal(tree.path)?.text.contains("a dbxfs mount is mounted") == true)
            #expect(MountPoint.mountType(at: tree.mount.mountPoint.path) == "fuse.dbxfs")
        }
    }

    @Test func `a symlink to a directory is followed`() throws {
        try withDirectory { path in
            try FileManager.default.createDirectory(atPath: path + "/real", withIntermediateDirectories: true)
            try FileManager.default.createSymbolicLink(atPath: path + "/link", withDestinationPath: path + "/real")
            let point = try MountPoint(preparing: path + "/link")
            #expect(point.path.hasSuffix("/real"))
        }
    }

    @Test func `the daemon hears when somebody else unmounts`() throws {
        try withFixture { fixture in
            try withDirectory { path in
                let ended = Receiver()
                let mount = try Mount(fixture.fileSystem, at: MountPoint(preparing: path)) { ended.fail(.canceled) }
                let process = Process()
                process.executableURL = URL(fileURLWithPath: "/usr/bin/fusermount3")
                process.arguments = ["-u", path]
                try process.run()
                process.waitUntilExit()
                #expect(mount.waitUntilEnded(seconds: 10))
                #expect(ended.isAnswered)
                #expect(MountPoint.mountType(at: mount.mountPoint.path) == nil)
            }
        }
    }
}
