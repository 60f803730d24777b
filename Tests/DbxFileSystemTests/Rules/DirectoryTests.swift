import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSystem
import Testing

@Suite struct DirectoryTests {
    @Test func `a listing has dot, dot dot and each name once`() throws {
        try withFixture { fixture in
            let directory = try fixture.makeDirectory("d")
            for index in 0..<50 { try fixture.makeFile("f\(index)", in: directory) }
            let names = try fixture.names(in: directory)
            #expect(names.prefix(2) == [".", ".."])
            #expect(Set(names.dropFirst(2)) == Set((0..<50).map { "f\($0)" }) && names.count == 52)
            let items = try fixture.fileSystem.list(directory, after: 0, limit: 1, withAttributes: false)
            #expect(items.map(\.number).prefix(2) == [directory, .root])
        }
    }

    @Test func `a name that stays is seen once while others come and go`() throws {
        try withFixture { fixture in
            for index in 0..<40 { try fixture.makeFile("stay\(index)") }
            var seen: [String] = []
            var offset: Int64 = 0
            var round = 0
            while true {
                let items = try fixture.fileSystem.list(.root, after: offset, limit: 3, withAttributes: true)
                guard let last = items.last else { break }
                seen += items.map { String(decoding: $0.name, as: UTF8.self) }
                offset = last.next
                round += 1
                guard round < 100 else { break }
                if round < 30 {
                    try fixture.makeFile("come\(round)")
                    if round > 1 { try fixture.fileSystem.unlink(Name("come\(round - 1)")!, in: .root) }
                }
            }
            let stayed = seen.filter { $0.hasPrefix("stay") }
            #expect(stayed.count == 40 && Set(stayed).count == 40)
        }
    }

    @Test func `a file is no directory, and a removed one is empty`() throws {
        try withFixture { fixture in
            let file = try fixture.makeFile("f")
            expect(.notDirectory) { _ = try fixture.names(in: file) }
            let directory = try fixture.makeDirectory("d")
            try fixture.fileSystem.removeDirectory(Name("d")!, in: .root)
            #expect(try fixture.names(in: directory) == [".", ".."])
        }
    }

    @Test func `statistics show the quota as size and the smaller room as free`() throws {
        try withFixture(stagingLimitBytes: 1_000_000) { fixture in
            fixture.fileSystem.setQuota(StorageQuota(limitBytes: 10_000_000, usedBytes: 9_500_000))
            let narrow = try fixture.fileSystem.statistics()
            #expect(narrow == FileSystemStatistics(totalBytes: 10_000_000, freeBytes: 500_000))
            fixture.fileSystem.setQuota(StorageQuota(limitBytes: 10_000_000, usedBytes: 0))
            let wide = try fixture.fileSystem.statistics()
            #expect(wide.freeBytes == 1_000_000)
        }
    }
}
