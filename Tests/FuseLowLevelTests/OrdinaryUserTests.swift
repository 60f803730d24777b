import CTestShims
import FuseLowLevel
import Glibc
import Testing

/// Whether anyone may open the device, as on a usual Debian.
private let deviceIsOpenToAll = attributes("/dev/fuse").map { $0.st_mode & 0o006 == 0o006 } ?? false

@Suite(
    .timeLimit(.minutes(1)),
    .enabled(
        if: geteuid() == 0 && access("/usr/bin/fusermount3", X_OK) == 0 && deviceIsOpenToAll,
        "needs root, fusermount3, and /dev/fuse with mode 0666"))
struct OrdinaryUserTests {
    /// Runs `body` on a thread with the ids of nobody: credentials are per thread in the kernel.
    private func asNobody<Value: Sendable>(_ body: @escaping @Sendable () -> Value) -> Value? {
        let result = Promise<Value>()
        onNewThread {
            guard dbxfs_test_become(65534, 65534) == 0 else { return }
            result.fulfil(body())
        }
        return result.get()
    }

    @Test func anOrdinaryUserMountsUsesAndUnmounts() throws {
        let path = try temporaryDirectory()
        defer { rmdir(path) }
        #expect(chown(path, 65534, 65534) == 0)
        let fileSystem = MemoryFileSystem()
        let mounted = asNobody { Result { try FuseSession.mount(fileSystem, at: path) } }
        let session = try #require(try mounted?.get())
        defer { session.stop() }
        #expect(asNobody { put([1, 2], at: path + "/a") } == true)
        #expect(asNobody { contents(path + "/a") } == [1, 2])
        #expect(attributes(path + "/a") == nil && errno == EACCES, "root has no business here")
        let busy = asNobody {
            let file = open(path + "/a", O_RDONLY | O_CLOEXEC)
            defer { close(file) }
            return FuseUnmount.run(path, lazily: false)?.reason
        }
        #expect(busy == .some(.busy))
        #expect(asNobody { FuseUnmount.run(path, lazily: false) == nil } == true)
        #expect(session.waitUntilEnded(seconds: 10))
    }

    @Test func refusalsOfTheHelperReachTheCaller() throws {
        let path = try temporaryDirectory()
        defer { rmdir(path) }
        #expect(chmod(path, 0o755) == 0)
        let error = asNobody { () -> FuseMountError? in
            do throws(FuseMountError) {
                try FuseSession.mount(MemoryFileSystem(), at: path).stop()
                return nil
            } catch { return error }
        }
        #expect(error??.text.contains("fusermount3") == true)
    }
}
