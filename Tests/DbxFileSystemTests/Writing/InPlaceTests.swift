import DbxFileSystem
import DbxLocalStore
import DbxModel
import Testing

@Suite struct InPlaceTests {
    @Test func `bytes written again before anybody saw them are replaced where they are`() throws {
        try withFixture { fixture in
            let number = try fixture.makeFile("f")
            try fixture.write([1, 2, 3, 4], to: number)
            let staged = fixture.shared.withStore { $0.stagingBytes }
            for round in 0..<50 { try fixture.write([UInt8(round), 2, 3, 4], to: number) }
            #expect(fixture.shared.withStore { $0.stagingBytes } == staged)
            #expect(try fixture.read(number) == [49, 2, 3, 4])
        }
    }

    @Test(arguments: ["upload", "epoch", "copy"])
    func `a range reserved in place is stale once something came to see its bytes`(_ what: String) throws {
        try withFixture { fixture in
            let number = try fixture.makeFile("f")
            let other = try fixture.makeFile("g")
            try fixture.write([1, 2, 3, 4], to: number)
            let range = try fixture.shared.withStore { try $0.reserveStaging(number, offset: 0, length: 4) }
            switch what {
            case "upload":
                let snapshot = try fixture.shared.withStore { try $0.beginUpload(number) }
                fixture.shared.withStore { $0.endUpload(snapshot!) }
            case "epoch": try fixture.fileSystem.synchronizeEverything()
            default: _ = try fixture.fileSystem.copyRange(from: number, at: 0, to: other, at: 0, count: 4)
            }
            let isRecorded = try fixture.shared.withStore {
                try $0.recordWrite(number, offset: 0, length: 4, range: range, now: Timestamp(nanoseconds: 1))
            }
            #expect(!isRecorded)
            fixture.shared.withStore { $0.abandon(range) }
            try fixture.write([9, 9, 9, 9], to: number)
            #expect(try fixture.read(number) == [9, 9, 9, 9])
            if what == "copy" {
                let copied = try fixture.read(other)
                #expect(copied == [1, 2, 3, 4])
            }
        }
    }
}
