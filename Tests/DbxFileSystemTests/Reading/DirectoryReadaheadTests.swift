import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSystem
import Testing

@Suite(.timeLimit(.minutes(1))) struct DirectoryReadaheadTests {
    /// Remote files of 100 bytes; they are listed in the order in which they are made.
    private func makeFiles(_ names: [String], _ fixture: Fixture, size: Int = 100) throws -> [InodeNumber] {
        try names.map { try fixture.makeRemoteFile($0, [UInt8](repeating: 7, count: size)) }
    }

    private func names(_ count: Int) -> [String] { (0..<count).map { "f\(10_000 + $0)" } }

    @Test func `Files read one after the other as they are listed are fetched ahead, ever more of them`() throws {
        try withFixture { fixture in
            let files = try makeFiles(names(400), fixture)
            for (index, file) in files.enumerated() {
                #expect(try fixture.read(file).count == 100)
                if index == 1 { #expect(fixture.blocks.readAhead.isEmpty) }
                if index == 2 { #expect(fixture.blocks.readAhead.count == 16) }
            }
            #expect(fixture.blocks.demanded.count == 3)
            #expect(fixture.blocks.readAhead.count == 397)
        }
    }

    @Test func `The order of the names is recognised too, whatever the listing's is`() throws {
        try withFixture { fixture in
            var entropy = SystemRandomNumberGenerator()
            let shuffled = names(300).shuffled(using: &entropy)
            let numbers = Dictionary(uniqueKeysWithValues: zip(shuffled, try makeFiles(shuffled, fixture)))
            for name in names(300) { #expect(try fixture.read(numbers[name]!).count == 100) }
            #expect(fixture.blocks.demanded.count < 60, "\(fixture.blocks.demanded.count)")
        }
    }

    @Test func `Readers that take what is ahead in another order do not end it`() throws {
        try withFixture { fixture in
            let files = try makeFiles(names(400), fixture)
            for file in files.prefix(4) { _ = try fixture.read(file) }
            for start in stride(from: 4, to: 400, by: 4) {
                for offset in [1, 0, 3, 2] { #expect(try fixture.read(files[start + offset]).count == 100) }
            }
            #expect(fixture.blocks.demanded.count < 10, "\(fixture.blocks.demanded.count)")
        }
    }

    @Test func `A program that reads here and there fetches little that it does not read`() throws {
        try withFixture { fixture in
            let files = try makeFiles(names(1_000), fixture)
            // Forward, but every tenth only.
            for index in stride(from: 0, to: 1_000, by: 10) { _ = try fixture.read(files[index]) }
            #expect(fixture.blocks.readAhead.count <= 80, "\(fixture.blocks.readAhead.count)")
            #expect(fixture.blocks.demanded.count >= 90)
        }
    }

    @Test func `Reading elsewhere cancels what is on its way`() throws {
        try withFixture { fixture in
            let files = try makeFiles(names(200), fixture)
            for index in 0..<2 { _ = try fixture.read(files[index]) }
            fixture.blocks.hold()
            let receivers = try [2, 150].map { index in
                let opened = try fixture.fileSystem.open(files[index], options: [], by: fixture.caller)
                let receiver = Receiver()
                _ = fixture.fileSystem.read(opened.handle, at: 0, count: 100, receiver: receiver)
                #expect(fixture.blocks.waiting == (index == 2 ? 17 : 2))
                return receiver
            }
            fixture.blocks.letGo()
            for receiver in receivers { #expect(try receiver.wait().count == 100) }
        }
    }

    @Test func `After a directory that was read to its end the next one is fetched ahead from its first file`() throws {
        try withFixture { fixture in
            for file in try makeFiles(names(60), fixture) { _ = try fixture.read(file) }
            let before = fixture.blocks.demanded.count
            let next = try fixture.makeDirectory("next")
            let numbers = try names(10).map { name in
                let number = try fixture.makeRemoteFile("x" + name, [1, 2, 3])
                try fixture.rename("x" + name, to: name, of: next)
                return number
            }
            for number in numbers { #expect(try fixture.read(number) == [1, 2, 3]) }
            #expect(fixture.blocks.demanded.count == before + 1)
        }
    }

    @Test func `Large files, what is here, and what the cache cannot take with ease are left alone`() throws {
        try withFixture(cacheLimitBytes: 64 << 10) { fixture in
            let large = try makeFiles(["a", "b", "c"], fixture, size: 300 << 10)
            let small = try makeFiles(names(100), fixture, size: 4_000)
            for number in large { _ = try fixture.read(number, count: 10) }
            #expect(fixture.blocks.readAhead.isEmpty)
            for number in small.prefix(3) { _ = try fixture.read(number) }
            // An eighth of the cache.
            #expect((1...3).contains(fixture.blocks.readAhead.count))
        }
    }
}
