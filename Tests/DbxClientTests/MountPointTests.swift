import DbxTestKit
import Foundation
import Testing

@testable import DbxClient

/// What `dbxfs mount` says of a directory that will not do. Mounts of others are tested on the real programs.
@Suite("A mount point")
struct MountPointTests {
    private let directory = TemporaryDirectory()
    private var path: String { directory.path }

    @Test("that is missing, a file, or holds something is refused")
    func refusals() throws {
        _ = FileManager.default.createFile(atPath: path + "/file", contents: nil)
        for (place, reason) in [
            (path + "/none", "does not exist"), (path + "/file", "is not a directory"), (path, "is not empty"),
        ] {
            let failure = #expect(throws: ClientFailure.self) { try MountPoint.prepare(place) }
            #expect(failure?.problem.contains(reason) == true)
        }
    }

    @Test("is known by one name, whatever links lead to it")
    func links() throws {
        let files = FileManager.default
        try files.createDirectory(atPath: path + "/real/inner", withIntermediateDirectories: true)
        try files.createSymbolicLink(atPath: path + "/link", withDestinationPath: "real")
        try files.createSymbolicLink(atPath: path + "/inner", withDestinationPath: path + "/link/inner")
        try files.createSymbolicLink(atPath: path + "/loop", withDestinationPath: "loop")
        let real = MountPoint.resolve(path) + "/real"
        #expect(MountPoint.resolve(path + "/link") == real)
        #expect(MountPoint.resolve(path + "/link/inner") == real + "/inner")
        #expect(MountPoint.resolve(path + "/inner") == real + "/inner")
        #expect(MountPoint.resolve(path + "/link/../inner/.") == real + "/inner")
        #expect(MountPoint.resolve(path + "/loop").hasSuffix("/loop"), "refused as no directory, not for ever")
    }

    @Test("is found in the kernel's table by its bytes")
    func table() {
        let line = #"36 35 98:0 /mnt1 /home/a\040b/Drop\134box rw,noatime master:1 - fuse.dbxfs dbxfs rw"#
        #expect(
            MountTable.parse(line) == [.init(mountPoint: #"/home/a b/Drop\box"#, type: "fuse.dbxfs", device: 98 << 20)])
        #expect(MountTable.parse("nonsense\n").isEmpty)
    }
}
