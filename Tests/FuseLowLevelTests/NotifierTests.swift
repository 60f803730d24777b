import FuseLowLevel
import Glibc
import Synchronization
import Testing

@Suite(.serialized, .timeLimit(.minutes(1)), .enabled(if: access("/dev/fuse", R_OK | W_OK) == 0, "needs /dev/fuse"))
struct NotifierTests {
    @Test func anInvalidatedInodeIsReadAnew() throws {
        let fileSystem = MemoryFileSystem()
        let inode = fileSystem.add("a", [1, 2, 3])
        try withMount(fileSystem) { path, session in
            #expect(contents(path + "/a") == [1, 2, 3])
            fileSystem.replace("a", with: [9, 8, 7, 6])
            #expect(contents(path + "/a") == [1, 2, 3], "the kernel keeps what it knows")
            #expect(session.notifier.post(.inode(inode, offset: 0, length: 0)))
            #expect(session.notifier.waitUntilSent(seconds: 10))
            #expect(attributes(path + "/a")?.st_size == 4)
            #expect(contents(path + "/a") == [9, 8, 7, 6])
        }
    }

    @Test func anInvalidatedNameAppearsAndVanishes() throws {
        let fileSystem = MemoryFileSystem()
        try withMount(fileSystem) { path, session in
            #expect(attributes(path + "/new") == nil)
            let inode = fileSystem.add("new", [1])
            #expect(attributes(path + "/new") == nil, "the kernel keeps that there was none")
            #expect(session.notifier.post(.entry(.root, name: Array("new".utf8))))
            #expect(session.notifier.waitUntilSent(seconds: 10))
            #expect(attributes(path + "/new").map { UInt64($0.st_ino) } == inode.rawValue)
            fileSystem.state.withLock { $0.nodes[1]?.children = [:] }
            #expect(session.notifier.post(.deleted(.root, name: Array("new".utf8), child: inode)))
            #expect(session.notifier.waitUntilSent(seconds: 10))
            #expect(attributes(path + "/new") == nil)
            #expect(session.notifier.counts.failed == 0)
        }
    }

    @Test func anUnknownInodeIsNoFailure() throws {
        try withMount(MemoryFileSystem()) { _, session in
            #expect(session.notifier.post(.inode(FuseInode(rawValue: 12345), offset: 0, length: 0)))
            #expect(session.notifier.waitUntilSent(seconds: 10))
            #expect(session.notifier.counts == (1, 0))
        }
    }

    @Test func aBlockedInodeDelaysNoOther() throws {
        let fileSystem = MemoryFileSystem()
        let waiting = fileSystem.add("hold", [UInt8](repeating: 1, count: 4096))
        let other = fileSystem.add("a", [1])
        try withMount(fileSystem) { path, session in
            #expect(contents(path + "/a") == [1])
            // A page that is being read is locked: its invalidation waits for the answer.
            let read = Promise<Bool>()
            onNewThread { read.fulfil(contents(path + "/hold") != nil) }
            #expect(eventually { fileSystem.state.withLock { !$0.held.isEmpty } })
            #expect(session.notifier.post(.inode(waiting, offset: 0, length: 0)))
            usleep(50_000)
            fileSystem.replace("a", with: [2, 3])
            #expect(session.notifier.post(.inode(other, offset: 0, length: 0)))
            #expect(eventually { attributes(path + "/a")?.st_size == 2 })
            #expect(!session.notifier.waitUntilSent(seconds: 0.05), "the first one still waits")
            while read.getNow() == nil { fileSystem.state.withLock { $0.held.forEach { $0.drop() } } }
            #expect(session.notifier.waitUntilSent(seconds: 10))
        }
    }

    @Test func aNoticeAboutContentStaysOutOfTheKernelWhileAReadWaits() throws {
        let fileSystem = MemoryFileSystem()
        let inode = fileSystem.add("wait", [UInt8](repeating: 1, count: 4096))
        try withMount(fileSystem) { path, session in
            let read = Promise<[UInt8]>()
            onNewThread { read.fulfil(contents(path + "/wait") ?? []) }
            #expect(eventually { fileSystem.state.withLock { !$0.waiting.isEmpty } })
            #expect(session.notifier.post(.inode(inode, offset: 0, length: 0)))
            #expect(!session.notifier.waitUntilSent(seconds: 0.1))
            #expect(notifyingThreadsInKernel() == 0)
            // One answer may not be all: the kernel reads again what was dropped under it.
            while read.getNow() == nil { fileSystem.release(waiting: [UInt8](repeating: 2, count: 4096)) }
            #expect(session.notifier.waitUntilSent(seconds: 10))
            #expect(session.notifier.counts == (1, 0))
        }
    }

    @Test func aFlowOfNoticesIsBoundedAndLosesNone() throws {
        let fileSystem = MemoryFileSystem()
        try withMount(fileSystem) { _, session in
            let total = 3 * FuseNotifier.capacity
            for number in 0..<total {
                let notice = FuseNotice.inode(FuseInode(rawValue: UInt64(10 + number)), offset: 0, length: 0)
                while !session.notifier.post(notice) { session.notifier.waitForRoom() }
            }
            #expect(session.notifier.waitUntilSent(seconds: 30))
            #expect(session.notifier.counts == (UInt64(total), 0))
        }
    }

    /// Before the kernel's first request.
    @Test func aNoticeInTheMomentOfMountingIsNoFailure() throws {
        for _ in 0..<100 {
            try withMount(MemoryFileSystem()) { _, session in
                #expect(session.notifier.post(.inode(FuseInode(rawValue: 10), offset: 0, length: 0)))
                #expect(session.notifier.waitUntilSent(seconds: 10))
                #expect(session.notifier.counts == (1, 0))
            }
        }
    }

    @Test func stoppingWithABlockedNoticeDoesNotHang() throws {
        let fileSystem = MemoryFileSystem()
        let waiting = fileSystem.add("hold", [UInt8](repeating: 1, count: 4096))
        try withMount(fileSystem) { path, session in
            onNewThread { _ = contents(path + "/hold") }
            #expect(eventually { fileSystem.state.withLock { !$0.held.isEmpty } })
            #expect(session.notifier.post(.inode(waiting, offset: 0, length: 0)))
            usleep(20_000)
            session.stop()
            #expect(session.waitUntilEnded(seconds: 10))
        }
    }
}
