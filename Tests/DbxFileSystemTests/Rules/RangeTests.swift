import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSystem
import Testing

@Suite struct RangeTests {
    @Test func `holes read as zeros, take no blocks, and are found by seeking`() throws {
        try withFixture { fixture in
            let files = fixture.fileSystem
            let number = try fixture.makeFile("f")
            try fixture.write([UInt8](repeating: 9, count: 4_096), to: number, at: 1 << 30)
            let attributes = try fixture.attributes(number)
            #expect(attributes.size == 1 << 30 + 4_096 && attributes.blocks == 8)
            #expect(try fixture.read(number, at: 5_000, count: 100) == [UInt8](repeating: 0, count: 100))
            #expect(try files.seek(number, from: 0, to: .data) == 1 << 30)
            #expect(try files.seek(number, from: 0, to: .hole) == 0)
            #expect(try files.seek(number, from: 1 << 30, to: .hole) == 1 << 30 + 4_096)
            expect(.noSuchDevice) { _ = try files.seek(number, from: 1 << 30 + 4_096, to: .hole) }
            _ = try files.setAttributes(of: number, to: AttributeChange(size: 2 << 30))
            expect(.noSuchDevice) { _ = try files.seek(number, from: 1 << 30 + 4_096, to: .data) }
            #expect(try files.seek(number, from: (1 << 30) + 1, to: .data) == 1 << 30 + 1)
        }
    }

    @Test func `files past 16 TiB are sparse`() throws {
        try withFixture { fixture in
            let number = try fixture.makeFile("f")
            try fixture.write([1], to: number, at: 20 << 40)
            #expect(try fixture.attributes(number).size == 20 << 40 + 1)
            #expect(try fixture.fileSystem.seek(number, from: 0, to: .data) == 20 << 40)
            expect(.fileTooLarge) { try fixture.write([1], to: number, at: .max - 10) }
        }
    }

    @Test(arguments: [1 << 62, 7 << 60, Int64.max - (64 << 20)] as [Int64])
    func `the largest sparse files are gone through to their end`(size: Int64) throws {
        try withFixture { fixture in
            let files = fixture.fileSystem
            let number = try fixture.makeFile("f")
            _ = try files.setAttributes(of: number, to: AttributeChange(size: size))
            for start in [0, 1 << 61, size - 1] {
                expect(.noSuchDevice) { _ = try files.seek(number, from: start, to: .data) }
                #expect(try files.seek(number, from: start, to: .hole) == start)
            }
            try fixture.write([1], to: number, at: size - 5_000)
            #expect(try files.seek(number, from: 0, to: .data) == size - 5_000)
        }
    }

    @Test func `fallocate extends, punches and zeroes`() throws {
        try withFixture { fixture in
            let files = fixture.fileSystem
            let number = try fixture.makeFile("f")
            try fixture.write([UInt8](repeating: 1, count: 100), to: number)
            try files.change(number, 50..<60, .punch)
            try files.change(number, 90..<120, .zero(keepsSize: true))
            #expect(try fixture.attributes(number).size == 100)
            try files.change(number, 100..<110, .zero(keepsSize: false))
            try files.change(number, 0..<200, .extend)
            try files.change(number, 0..<1_000, .reserve)
            let bytes = try fixture.read(number)
            #expect(bytes.count == 200)
            for (index, byte) in bytes.enumerated() {
                #expect(byte == ((0..<50).contains(index) || (60..<90).contains(index) ? 1 : 0))
            }
            expect(.invalidArgument) { try files.change(number, 5..<5, .extend) }
        }
    }

    @Test func `copying a range shares it until one side is written`() throws {
        try withFixture { fixture in
            let files = fixture.fileSystem
            let a = try fixture.makeFile("a")
            let b = try fixture.makeFile("b")
            try fixture.write(Array("abcdefgh".utf8), to: a)
            #expect(try files.copyRange(from: a, at: 2, to: b, at: 1, count: 100) == 6)
            #expect(try fixture.read(b) == [0] + Array("cdefgh".utf8))
            try fixture.write(Array("XX".utf8), to: a, at: 2)
            #expect(try fixture.read(b) == [0] + Array("cdefgh".utf8))
            #expect(try files.copyRange(from: a, at: 8, to: b, at: 0, count: 10) == 0)
            expect(.invalidArgument) { _ = try files.copyRange(from: a, at: 0, to: a, at: 2, count: 4) }
            #expect(try files.copyRange(from: a, at: 0, to: a, at: 8, count: 8) == 8)
            #expect(try fixture.read(a) == Array("abXXefghabXXefgh".utf8))
        }
    }
}
