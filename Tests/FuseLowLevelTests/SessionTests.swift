import CTestShims
import FuseLowLevel
import Glibc
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1)), .enabled(if: access("/dev/fuse", R_OK | W_OK) == 0, "needs /dev/fuse"))
struct SessionTests {
    @Test func namesAndBytesMakeTheRoundTrip() throws {
        try withMount(MemoryFileSystem()) { path, _ in
            let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            #expect(put(bytes, at: path + "/a"))
            #expect(contents(path + "/a") == bytes)
            #expect(attributes(path + "/a")?.st_size == 300_000)
            #expect(attributes(path + "/a")?.st_mtim.tv_nsec == 123_456_789)
            #expect(mkdir(path + "/d", 0o750) == 0)
            #expect(rename(path + "/a", path + "/d/b") == 0)
            #expect(attributes(path + "/a") == nil && errno == ENOENT)
            #expect(contents(path + "/d/b") == bytes)
            #expect(symlink("d/b", path + "/l") == 0)
            var target = [CChar](repeating: 0, count: 100)
            #expect(readlink(path + "/l", &target, 100) == 3)
            #expect(truncate(path + "/d/b", 10) == 0)
            #expect(contents(path + "/d/b") == Array(bytes[..<10]))
            #expect(unlink(path + "/d/b") == 0)
            #expect(unlink(path + "/d/b") == -1 && errno == ENOENT)
            #expect(chmod(path + "/d", 0o700) == 0)
            #expect(attributes(path + "/d")?.st_mode == S_IFDIR | 0o700)
        }
    }

    @Test func aLongListingArrivesWholeAndOnce() throws {
        let fileSystem = MemoryFileSystem()
        let expected = (0..<3000).map { "entry with a rather long name, number \($0)" }
        for name in expected { fileSystem.add(name, []) }
        try withMount(fileSystem) { path, _ in
            #expect(names(in: path).sorted() == expected.sorted())
        }
    }

    @Test func extendedAttributesKnowTheirSizes() throws {
        try withMount(MemoryFileSystem()) { path, _ in
            let file = path + "/a"
            #expect(put([1], at: file))
            #expect(setxattr(file, "user.x", "value", 5, 0) == 0)
            #expect(getxattr(file, "user.x", nil, 0) == 5)
            var value = [UInt8](repeating: 0, count: 5)
            #expect(getxattr(file, "user.x", &value, 5) == 5 && value == Array("value".utf8))
            #expect(getxattr(file, "user.x", &value, 4) == -1 && errno == ERANGE)
            #expect(getxattr(file, "user.y", &value, 5) == -1 && errno == ENODATA)
            #expect(listxattr(file, nil, 0) == 7)
        }
    }

    @Test func whatTheKernelKnowsIsNotAskedAgain() throws {
        let fileSystem = MemoryFileSystem()
        fileSystem.add("a", [1, 2, 3])
        try withMount(fileSystem) { path, _ in
            #expect(attributes(path + "/a")?.st_size == 3)
            #expect(contents(path + "/a") == [1, 2, 3])
            // The read made the kernel doubt the access time; from here on it knows everything.
            #expect(attributes(path + "/a")?.st_size == 3)
            let before = fileSystem.state.withLock { $0.calls }
            for _ in 0..<10 { #expect(attributes(path + "/a")?.st_size == 3) }
            for _ in 0..<10 { #expect(attributes(path + "/none") == nil) }
            #expect(fileSystem.calls("lookup") <= before["lookup", default: 0] + 1)
            #expect(fileSystem.calls("getattr") == before["getattr", default: 0])
            #expect(contents(path + "/a") == [1, 2, 3])
            #expect(fileSystem.calls("read") == before["read"])
        }
    }

    @Test func aWriteIsOneRequestAndSaysWhoKeepsSetIDBits() throws {
        let fileSystem = MemoryFileSystem()
        fileSystem.add("a", [1, 2, 3])
        try withMount(fileSystem) { path, _ in
            let file = open(path + "/a", O_WRONLY | O_CLOEXEC)
            defer { close(file) }
            for _ in 0..<20 { #expect(write(file, "abcd", 4) == 4) }
            #expect(fileSystem.calls("write") == 20)
            let offered = fileSystem.state.withLock { $0.offered }
            guard offered.contains(.clearsPrivileges) else { return }
            #expect(fileSystem.calls("getxattr") <= 1)
            // The tests' own root may keep the bits.
            #expect(fileSystem.state.withLock { $0.clearsSetID }.allSatisfy { $0 == (geteuid() != 0) })
        }
    }

    @Test func unmountingABusyMountSaysSoAndALazyOneWorks() throws {
        let fileSystem = MemoryFileSystem()
        try withMount(fileSystem) { path, session in
            let file = open(path + "/a", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            do {
                try session.unmount()
                Issue.record("the mount was busy")
            } catch {
                #expect((error as? FuseMountError)?.reason == .busy)
            }
            try session.unmount(lazily: true)
            #expect(names(in: path) == [".", ".."])
            #expect(write(file, "x", 1) == 1, "a lazily unmounted file stays usable")
            close(file)
            #expect(session.waitUntilEnded(seconds: 10))
            #expect(fileSystem.state.withLock { $0.isDestroyed })
        }
    }

    @Test func stoppingEndsCallsUnderWayAndOpenFiles() throws {
        let fileSystem = MemoryFileSystem()
        fileSystem.add("wait", [1])
        try withMount(fileSystem) { path, session in
            let outcome = Promise<String>()
            let file = open(path + "/wait", O_RDONLY | O_CLOEXEC)
            onNewThread {
                var byte: UInt8 = 0
                let count = read(file, &byte, 1)
                outcome.fulfil(count < 0 ? "\(errno)" : "\(count) bytes")
            }
            #expect(eventually { fileSystem.state.withLock { !$0.waiting.isEmpty } })
            session.stop()
            #expect(session.waitUntilEnded(seconds: 10))
            let code = outcome.get()
            #expect(code == "\(ENOTCONN)" || code == "\(ECONNABORTED)" || code == "\(EIO)")
            // An answer that comes too late goes nowhere.
            fileSystem.release(waiting: [1])
            var byte: UInt8 = 0
            #expect(read(file, &byte, 1) == -1)
            close(file)
            #expect(names(in: path) == [".", ".."])
        }
    }

    @Test func anUnmountFromOutsideEndsTheSession() throws {
        let fileSystem = MemoryFileSystem()
        try withMount(fileSystem) { path, session in
            #expect(FuseUnmount.run(path, lazily: false) == nil)
            #expect(session.waitUntilEnded(seconds: 10))
            #expect(FuseUnmount.run(path, lazily: false)?.reason == .notMounted)
        }
    }

    @Test func manySessionsComeAndGo() throws {
        for _ in 0..<20 {
            try withMount(MemoryFileSystem()) { path, session in
                #expect(put([1], at: path + "/a"))
                try session.unmount()
            }
        }
    }

    @Test func mountErrorsAreTold() throws {
        func reason(_ path: String, _ options: FuseMountOptions = FuseMountOptions()) -> FuseMountError.Reason? {
            do throws(FuseMountError) {
                try FuseSession.mount(MemoryFileSystem(), at: path, options: options).stop()
                return nil
            } catch {
                #expect(!error.text.isEmpty)
                return error.reason
            }
        }
        #expect(reason("/tmp/no such directory") == .missing)
        #expect(reason("/etc/passwd") == .notADirectory)
    }
}
