import DbxModel
import Testing

@testable import DbxSync

@Suite("Names of conflicted copies")
struct ConflictNameTests {
    /// 2026-11-21T12:00:00Z.
    let moment = Timestamp(seconds: 1_795_262_400, nanoseconds: 0)

    func first(_ name: String, device: String = "laptop", taken: Set<String> = []) throws -> String {
        let original = try #require(Name(name))
        return ConflictName(for: original, device: device, at: moment).firstFree { taken.contains($0.display) }.display
    }

    @Test("keep the ending and name the device and the day")
    func plain() throws {
        #expect(try first("report.txt") == "report (conflicted copy from laptop 2026-11-21).txt")
        #expect(try first("Makefile") == "Makefile (conflicted copy from laptop 2026-11-21)")
        #expect(try first(".bashrc") == ".bashrc (conflicted copy from laptop 2026-11-21)")
    }

    @Test("count on when the name is taken")
    func counter() throws {
        let taken: Set = [
            "a (conflicted copy from laptop 2026-11-21).c", "a (conflicted copy from laptop 2026-11-21 2).c",
        ]
        #expect(try first("a.c", taken: taken) == "a (conflicted copy from laptop 2026-11-21 3).c")
    }

    @Test("never carry two marks")
    func conflictOfConflict() throws {
        let once = try first("a.c")
        let twice = try first(once, device: "desktop")
        #expect(twice == "a (conflicted copy from desktop 2026-11-21).c")
    }

    @Test("fit into 255 bytes and are cut at a character", arguments: ["é", "x", "漢", "🙂"])
    func long(character: String) throws {
        let stem = String(repeating: character, count: 251 / character.utf8.count)
        let name = try first(stem + ".txt", device: String(repeating: "ü", count: 200))
        #expect(name.utf8.count <= 255)
        #expect(!name.contains("\u{FFFD}"))
        #expect(name.hasSuffix("2026-11-21).txt"))
    }

    @Test("are valid even where the original is no text and the device name holds what no name may")
    func hostile() throws {
        let original = try #require(Name([0xFF, 0xFE, 0x0A, 0x2E, 0x80]))
        let name = ConflictName(for: original, device: "../a\0b\n", at: moment).firstFree { _ in false }
        #expect(name.bytes.starts(with: [0xFF, 0xFE, 0x0A]))
        #expect(!name.bytes.contains(0x2F))
    }

    @Test(
        "name the day of the calendar",
        arguments: [
            (Int64(0), "1970-01-01"), (951_782_400, "2000-02-29"), (-1, "1969-12-31"), (4_102_444_799, "2099-12-31"),
        ])
    func dates(seconds: Int64, day: String) throws {
        let name = ConflictName(
            for: try #require(Name("f")), device: "d", at: Timestamp(seconds: seconds, nanoseconds: 0)
        ).firstFree { _ in false }
        #expect(name.display == "f (conflicted copy from d \(day))")
    }
}
