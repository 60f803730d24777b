import DbxFileSystem
import DbxLocalStore
import DbxModel
import Testing

@Suite struct SynchronizeTests {
    @Test func `everything is on the disk afterwards, also what sync put into the store`() throws {
        try withFixture { fixture in
            _ = try fixture.makeFile("a")
            try fixture.fileSystem.synchronizeEverything()
            let commit = LocalStore.InFlightCommit(id: CommitID(high: 1, low: 2), body: [1], covered: [2])
            try fixture.shared.withStore { store in try store.saveCommit(commit) }
            try fixture.fileSystem.synchronizeEverything()
            #expect(fixture.shared.withStore { !$0.hasUnsyncedChanges })
        }
    }
}
