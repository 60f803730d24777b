import DbxTestKit
import Foundation
import Testing

/// Runs `dbxfs-cases` (`Tests/Support/dbxfs-cases`): small cases for sync, each of which must end as docs/SYNC.md says.
@Suite("Cases for sync by the thousand", .serialized)
struct CaseTests {
    /// The release program that `scripts/test` makes when it runs all tests.
    private static let release = ProcessInfo.processInfo.environment["DBXFS_CASES"]

    private static func run(_ arguments: String..., limitSeconds: Int = 280) throws -> Shell.Output {
        let program = release ?? ServerProcess.productsDirectory + "/dbxfs-cases"
        return try Shell.run([program] + arguments, limitSeconds: limitSeconds)
    }

    @Test("come to rest, agree and lose nothing", .timeLimit(.minutes(25)))
    func cases() throws {
        let count = Self.release == nil ? 300 : 20_000
        let output = try Self.run("--from", "1", "--cases", "\(count)", "--no-shrink", limitSeconds: 1_400)
        #expect(output.code == 0, "\(output.text)")
        // They are about something. What comes before the last line is of a part of them.
        let said = try #require(output.text.firstMatch(of: /cases, (\d+) of them with a conflict.*, in \d+ seconds/))
        #expect(try #require(Int(said.output.1)) > count / 20, "\(output.text)")
    }

    @Test("go the same way twice", .timeLimit(.minutes(2)))
    func sameTwice() throws {
        let texts = try (1...2).map { _ in try Self.run("--seed", "1738").text }
        #expect(texts[0].contains("ok 1738"), "\(texts[0])")
        #expect(texts[0] == texts[1])
    }
}
