import DbxTestKit
import Foundation
import Glibc
import Testing

/// What docs/SEMANTICS.md says, as programs see it: system calls on a real mount of the real programs, one file per
/// family. All share one mount; each test works in a directory of its own.
@Suite(
    "A program on the mount", .mounted,
    .enabled(if: Machine.canMount, "needs /dev/fuse and fusermount3 (package fuse3)"))
struct ConformanceTests {
    @TaskLocal static var mountPoint = ""

    /// A fresh directory on the mount, which everybody may write to.
    static func makeDirectory() throws -> String {
        let path = mountPoint + "/" + UUID().uuidString
        try succeed(mkdir(path, 0o777))
        try succeed(chmod(path, 0o777))
        return path
    }
}

enum Machine {
    static let canMount =
        access("/dev/fuse", F_OK) == 0 && access("/usr/bin/fusermount3", X_OK) == 0
    /// Tests that become other users.
    static let isRoot = geteuid() == 0
}

extension Trait where Self == ConditionTrait {
    static var root: Self { .enabled(if: Machine.isRoot, "needs root, to become other users") }
}

extension Trait where Self == MountTrait {
    static var mounted: Self { MountTrait() }
}

/// A server and a mount around all tests of the suite, open to other users where root runs them.
struct MountTrait: SuiteTrait, TestScoping {
    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        let server = try ServerProcess.start()
        try server.addUser("ann", password: MountedClient.password)
        let client = try MountedClient.mounted(
            on: server, name: "laptop", options: Machine.isRoot ? ["--allow-other"] : [])
        if Machine.isRoot { try succeed(chmod(client.home, 0o755)) }
        try await ConformanceTests.$mountPoint.withValue(client.mountPoint) { try await function() }
        withExtendedLifetime(client) {}
    }
}
