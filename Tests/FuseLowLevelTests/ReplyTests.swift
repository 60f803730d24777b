import FuseLowLevel
import Glibc
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1)), .enabled(if: access("/dev/fuse", R_OK | W_OK) == 0, "needs /dev/fuse"))
struct ReplyTests {
    @Test func aDroppedReplyIsAnInputOutputError() throws {
        let fileSystem = MemoryFileSystem()
        fileSystem.add("drop", [1])
        try withMount(fileSystem) { path, _ in
            let file = open(path + "/drop", O_RDONLY | O_CLOEXEC)
            defer { close(file) }
            var byte: UInt8 = 0
            #expect(read(file, &byte, 1) == -1 && errno == EIO)
        }
    }

    @Test func aReplyMayComeFromAnotherThread() throws {
        let fileSystem = MemoryFileSystem()
        fileSystem.add("later", [4, 5, 6])
        try withMount(fileSystem) { path, _ in
            #expect(contents(path + "/later") == [4, 5, 6])
        }
    }

    /// Only a direct read waits for its own request; one through the page cache waits for a page, and just leaves.
    @Test func aKilledReaderEndsItsRequest() throws {
        let fileSystem = MemoryFileSystem()
        fileSystem.add("wait directly", [1])
        try withMount(fileSystem) { path, _ in
            for _ in 0..<20 {
                let child = spawn(["/bin/cat", path + "/wait directly"])
                #expect(child > 0)
                #expect(eventually { fileSystem.state.withLock { !$0.waiting.isEmpty } })
                kill(child, SIGTERM)
                var status: Int32 = 0
                #expect(waitpid(child, &status, 0) == child)
                #expect(status & 0x7F == SIGTERM)
                let boxes = fileSystem.state.withLock { state in
                    defer { state.waiting = [] }
                    return state.waiting
                }
                #expect(eventually { boxes.allSatisfy { $0.take() == nil } })
            }
        }
    }

    @Test func waitingReadsHoldUpNothingElse() throws {
        let fileSystem = MemoryFileSystem()
        for number in 0..<8 { fileSystem.add("wait\(number)", [7, 8]) }
        fileSystem.add("a", [1])
        try withMount(fileSystem) { path, _ in
            let results = (0..<8).map { _ in Promise<[UInt8]>() }
            for (number, result) in results.enumerated() {
                onNewThread { result.fulfil(contents(path + "/wait\(number)") ?? []) }
            }
            #expect(eventually { fileSystem.state.withLock { $0.waiting.count == 8 } })
            #expect(contents(path + "/a") == [1])
            fileSystem.release(waiting: [7, 8])
            for result in results { #expect(result.get() == [7, 8]) }
        }
    }
}
