import CTestShims
import Glibc
import Testing

extension ConformanceTests {
    @Suite(.timeLimit(.minutes(2))) struct WriteTests {
        @Test func `appends of several writers all arrive whole`() throws {
            let path = try makeDirectory() + "/log"
            try onThreads(
                (0..<4).map { writer in
                    {
                        let file = try File(path, O_WRONLY | O_CREAT | O_APPEND)
                        for index in 0..<100 { try file.append("\(writer):\(index)\n") }
                    }
                })
            let lines = try content(path).split(separator: "\n")
            #expect(lines.count == 400 && Set(lines).count == 400)
            for writer in 0..<4 {
                let own = lines.filter { $0.hasPrefix("\(writer):") }.compactMap { Int($0.dropFirst(2)) }
                #expect(own == Array(0..<100), "in the order of their writer")
            }
        }

        @Test func `direct and cached reads and writes see each other`() throws {
            let path = try makeDirectory() + "/f"
            let cached = try File(path)
            let direct = try File(path, O_RDWR | Int32(dbxfs_test_o_direct))
            defer { direct.stay() }
            var page: UnsafeMutableRawPointer?
            posix_memalign(&page, 4_096, 8_192)
            defer { free(page) }
            memset(page!, 0x44, 8_192)
            #expect(pwrite(direct.descriptor, page, 8_192, 0) == 8_192)
            #expect(try cached.bytes(0..<9_000) == [UInt8](repeating: 0x44, count: 8_192))
            try cached.write("cached", at: 5_000)
            #expect(pread(direct.descriptor, page, 4_096, 4_096) == 4_096)
            #expect(UnsafeRawBufferPointer(start: page! + 904, count: 6).elementsEqual("cached".utf8))
            memset(page!, 0x46, 4_096)
            #expect(pwrite(direct.descriptor, page, 4_096, 4_096) == 4_096)
            #expect(try cached.bytes(5_000..<5_002) == [0x46, 0x46])
        }

        @Test func `a shared mapping and writers see each other, a private one keeps its own`() throws {
            let file = try File(try makeDirectory() + "/f")
            try file.truncate(to: 65_536)
            func map(_ flags: Int32) throws -> UnsafeMutablePointer<UInt8> {
                let start = mmap(nil, 65_536, PROT_READ | PROT_WRITE, flags, file.descriptor, 0)
                guard start != MAP_FAILED, let start else { throw CallError(code: errno) }
                return start.assumingMemoryBound(to: UInt8.self)
            }
            let shared = try map(MAP_SHARED)
            let alone = try map(MAP_PRIVATE)
            defer {
                munmap(shared, 65_536)
                munmap(alone, 65_536)
            }
            shared[10] = 1
            #expect(try file.bytes(10..<11) == [1])
            try file.write("W", at: 20_000)
            #expect(shared[20_000] == 0x57 && alone[20_000] == 0x57)
            alone[20_000] = 2
            #expect(try file.bytes(20_000..<20_001) == [0x57])
            try file.setTimes(1)
            shared[30_000] = 3
            try succeed(msync(shared, 65_536, MS_SYNC))
            #expect(try file.status().modified > 2_000_000_000)
            try file.truncate(to: 100)
            try file.truncate(to: 65_536)
            #expect(shared[200] == 0 && shared[20_000] == 0)
        }

        @Test func `reading and writing need descriptors for it, and directories have no content`() throws {
            let path = try makeDirectory()
            try put("text", at: path + "/f")
            expect(EBADF) { try File(path + "/f", O_RDONLY).write("x") }
            expect(EBADF) { _ = try File(path + "/f", O_WRONLY).bytes(0..<1) }
            let directory = try File(path, O_RDONLY | O_DIRECTORY)
            defer { directory.stay() }
            expect(EISDIR) { _ = try directory.bytes(0..<1) }
            expect(EISDIR) { try succeed(truncate(path, 0)) }
            try succeed(fsync(directory.descriptor))
            #expect(try File(path + "/f", O_RDONLY).bytes(100..<110) == [])
        }
    }
}
