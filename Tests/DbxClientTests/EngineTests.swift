import DbxClientAPI
import DbxModel
import DbxSync
import DbxSystem
import DbxTestKit
import DbxWire
import Synchronization
import Testing

@testable import DbxClient

@Suite("The engine", .serialized)
struct EngineTests {
    @Test("sends no commit, also not again, that the local disk does not have yet", .timeLimit(.minutes(1)))
    func epochBeforeCommit() throws {
        let fixture = try EngineFixture()
        fixture.tree.failSyncs(with: .noSpace)
        try fixture.start()
        try fixture.write(Array("kept".utf8), to: "file")
        // The first attempt has saved the commit; the others send it again.
        try Shell.eventually("it was tried three times") { fixture.tree.refusals >= 3 }
        #expect(fixture.api.commits.isEmpty)
        fixture.tree.failSyncs(with: nil)
        try Shell.eventually("everything is on the server") { fixture.isSynced }
        #expect(fixture.api.commits.count == 1)
    }

    @Test("goes on with what a commit had no room for when that got through at the second try", .timeLimit(.minutes(1)))
    func goesOnAfterSecondTry() throws {
        let fixture = try EngineFixture()
        let tries = Atomic(0)
        fixture.api.refuse { _ in tries.add(1, ordering: .relaxed).oldValue == 0 ? .tooManyRequests : nil }
        for number in 0..<1_500 { try fixture.makeDirectory("folder \(number)") }
        try fixture.start()
        try Shell.eventually("everything is on the server") { fixture.isSynced }
        #expect(fixture.api.commits.count > 2)
    }

    @Test(
        "sends deletions that it gathered and that were not too many, when nothing else happens",
        .timeLimit(.minutes(1)))
    func smallBurst() throws {
        var settings = MassChangeGuard.Settings()
        (settings.minimum, settings.share, settings.age) = (3, 0, .zero)
        settings.quiet = .milliseconds(300)
        let fixture = try EngineFixture(guardSettings: settings)
        try fixture.start()
        try fixture.write(Array("old".utf8), to: "file")
        try fixture.sync()
        let before = fixture.api.commits.count
        try fixture.remove("file")
        try Shell.eventually("it is gone from the server") { fixture.isSynced }
        #expect(fixture.api.commits.count == before + 1 && fixture.engine.guarded == nil)
    }

    @Test("says a file's rows as a whole to a server that does not take edits of them", .timeLimit(.minutes(1)))
    func wholeRows() throws {
        let fixture = try EngineFixture()
        try fixture.start()
        // Far more blocks than the edit below says.
        let noise = try OpenFile(path: "/dev/urandom", .readOnly)
        for part in 0..<24 { try fixture.write(noise.read(count: 1 << 20, at: 0), to: "large", at: Int64(part) << 20) }
        try fixture.sync()
        fixture.api.refuse { $0.edits.isEmpty ? nil : .badRequest }
        try fixture.write([1, 2, 3], to: "large", at: 5_000_000)
        try fixture.sync()
        let (refused, taken) = (try #require(fixture.api.commits.dropLast().last), fixture.api.commits.last)
        #expect(!refused.edits.isEmpty)
        #expect(taken?.edits.isEmpty == true)
        // And only that time.
        fixture.api.refuse { _ in nil }
        try fixture.write([4, 5, 6], to: "large", at: 9_000_000)
        try fixture.sync()
        #expect(fixture.api.commits.last?.edits.isEmpty == false)
    }
}

extension CommitRequest {
    /// Rows that are said as edits of the server's.
    fileprivate var edits: [SegmentChange] {
        nodes.flatMap { $0.content?.segments ?? [] }.filter { $0.base != nil }
    }
}
