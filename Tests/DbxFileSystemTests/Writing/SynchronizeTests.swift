import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSystem
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

    /// A mount that has been up for some days has made so many epochs.
    @Test func `whoever wants to be told before each is told the first time as the last`() {
        let listener = Listener<Void>()
        let count = Monitor(0)
        listener.tell()
        listener.set { count.withLock { $0 += 1 } }
        for _ in 0..<300_000 { listener.tell() }
        listener.remove()
        listener.tell()
        #expect(count.withLock { $0 } == 300_000)
    }
}
