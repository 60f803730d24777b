import DbxTestKit
import Foundation
import Testing

extension Tag {
    /// Needs /dev/fuse and fusermount3.
    @Tag static var mount: Self
}

enum Machine {
    static var canMount: Bool {
        FileManager.default.fileExists(atPath: "/dev/fuse")
            && FileManager.default.isExecutableFile(atPath: "/usr/bin/fusermount3")
    }

    static var anyoneMayOpenFuse: Bool {
        let attributes = try? FileManager.default.attributesOfItem(atPath: "/dev/fuse")
        return ((attributes?[.posixPermissions] as? Int) ?? 0) & 0o666 == 0o666
    }
}

/// All tests on real mounts, one at a time: each runs a server, one or two daemons, and programs on them.
@Suite(
    "A mounted account", .serialized, .tags(.mount),
    .enabled(if: Machine.canMount, "needs /dev/fuse and fusermount3 (package fuse3)"))
struct MountTests {}

/// A server with the account `ann`.
func makeServer(listen: String = "127.0.0.1:0") throws -> ServerProcess {
    let server = try ServerProcess.start(listen: listen)
    try server.addUser("ann", password: MountedClient.password)
    return server
}

/// A computer whose state lies in a directory that may be on a disk of its own.
func mountedClient(of server: ServerProcess, stateAt path: String) throws -> MountedClient {
    let client = try MountedClient(server: server, name: "laptop")
    try FileManager.default.createSymbolicLink(atPath: client.home + "/data", withDestinationPath: path)
    try #require(try client.login().code == 0)
    try client.mount()
    return client
}
