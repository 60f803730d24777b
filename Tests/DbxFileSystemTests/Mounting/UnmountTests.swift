import DbxMount
import DbxSystem
import DbxTestKit
import Foundation
import Testing

@Suite("Unmounting", .serialized, .timeLimit(.minutes(1)))
struct UnmountTests {
    @Test("is heard of by the daemon when somebody else does it")
    func foreign() throws {
        try withFixture { fixture in
            let directory = TemporaryDirectory()
            let ended = Receiver()
            let mount = try Mount(fixture.fileSystem, at: directory.path) { ended.fail(.canceled) }
            #expect(try Shell.run(["fusermount3", "-u", directory.path]).code == 0)
            #expect(mount.waitUntilEnded(seconds: 10))
            #expect(ended.isAnswered)
        }
    }
}
