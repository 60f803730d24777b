import CTestShims
import Glibc
import Testing

extension ConformanceTests {
    @Suite struct RangeTests {
        private let keepSize: Int32 = 1
        private let punchHole: Int32 = 3
        private let zeroRange: Int32 = 0x10

        private func file(_ text: String = String(repeating: "x", count: 20_000)) throws -> File {
            let file = try File(try makeDirectory() + "/f")
            try file.write(text)
            return file
        }

        @Test func `fallocate lengthens, reserves, punches and zeroes`() throws {
            let file = try file()
            try file.allocate(0, 0..<30_000)
            #expect(try file.status().st_size == 30_000)
            try file.allocate(keepSize, 0..<90_000)
            #expect(try file.status().st_size == 30_000)
            try file.allocate(punchHole, 1_000..<6_000)
            #expect(
                try file.bytes(1_000..<6_000).allSatisfy { $0 == 0 } && file.bytes(0..<1_000).allSatisfy { $0 != 0 })
            try file.allocate(zeroRange, 8_000..<48_000)
            #expect(try file.status().st_size == 48_000 && file.bytes(7_999..<8_001) == [0x78, 0])
            try file.allocate(zeroRange | keepSize, 0..<100_000)
            #expect(try file.status().st_size == 48_000 && file.bytes(0..<48_000).allSatisfy { $0 == 0 })
        }

        @Test func `fallocate refuses what it cannot do`() throws {
            let file = try file()
            for mode: Int32 in [8, 0x20, 0x41, 2] { expect(EOPNOTSUPP) { try file.allocate(mode, 0..<4_096) } }
            expect(EINVAL) { try file.allocate(0, 0..<0) }
            expect(EINVAL) { try file.allocate(0, -1..<5) }
            expect(EFBIG) { try file.allocate(0, Int.max - 10..<Int.max) }
            let reading = try File("/proc/self/fd/\(file.descriptor)", O_RDONLY)
            expect(EBADF) { try reading.allocate(0, 0..<10) }
        }

        @Test func `holes and data are found where they are, and only data takes blocks`() throws {
            let file = try File(try makeDirectory() + "/f")
            let (data, hole, mebibyte) = (dbxfs_test_seek_data, dbxfs_test_seek_hole, 1 << 20)
            try file.write(String(repeating: "a", count: 4_096), at: mebibyte)
            try file.truncate(to: 3 * mebibyte)
            #expect(try file.seek(data, from: 0) == mebibyte && file.seek(hole, from: 0) == 0)
            #expect(try file.seek(hole, from: mebibyte) == mebibyte + 4_096)
            #expect(try file.seek(data, from: mebibyte + 5) == mebibyte + 5)
            expect(ENXIO) { _ = try file.seek(data, from: 2 * mebibyte) }
            expect(ENXIO) { _ = try file.seek(hole, from: 3 * mebibyte) }
            #expect(try file.status().st_blocks == 8)
            try file.allocate(punchHole, mebibyte..<2 * mebibyte)
            #expect(try file.status().st_blocks == 0)
        }

        @Test func `copy_file_range copies within and between files`() throws {
            let source = try file("0123456789")
            let target = try File(try makeDirectory() + "/g")
            let (from, to) = (source.descriptor, target.descriptor)
            #expect(try succeed(dbxfs_test_copy(from, 2, to, 4, 100)) == 8, "up to the end of the source")
            #expect(try target.bytes(0..<100) == [0, 0, 0, 0] + Array("23456789".utf8))
            #expect(try succeed(dbxfs_test_copy(from, 10, to, 0, 5)) == 0)
            #expect(try succeed(dbxfs_test_copy(from, 0, from, 5, 5)) == 5)
            #expect(try source.text(0..<100) == "0123401234")
            expect(EINVAL) { try succeed(dbxfs_test_copy(from, 0, from, 2, 5)) }
            let directory = try File("/", O_RDONLY | O_DIRECTORY)
            expect(EISDIR) { try succeed(dbxfs_test_copy(directory.descriptor, 0, to, 0, 5)) }
            for file in [source, target, directory] { file.stay() }
        }

        @Test func `a file is as large as its last byte, beyond 16 TiB too`() throws {
            let file = try File(try makeDirectory() + "/f")
            try file.write("end", at: 20 << 40)
            try file.write("mid", at: 5 << 40)
            #expect(try file.status().st_size == 20 << 40 + 3 && file.text(20 << 40..<20 << 40 + 9) == "end")
            #expect(try file.seek(dbxfs_test_seek_data, from: 6 << 40) == 20 << 40)
            #expect(try file.status().st_blocks < 64)
            try file.truncate(to: 1 << 62)
            expect(EFBIG) { try file.truncate(to: .max) }
            expect(EINVAL) { try file.truncate(to: -1) }
            try file.truncate(to: 0)
            #expect(try file.status().st_blocks == 0)
        }

        @Test func `what a truncation cut off is zero when the file grows again`() throws {
            let file = try file()
            try file.truncate(to: 100)
            try file.truncate(to: 20_000)
            #expect(try file.bytes(0..<100).allSatisfy { $0 != 0 } && file.bytes(100..<20_000).allSatisfy { $0 == 0 })
        }
    }
}
