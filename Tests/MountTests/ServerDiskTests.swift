import DbxTestKit
import Foundation
import Testing

extension MountTests {
    /// The server's disk takes nothing for a while.
    @Suite struct ServerDisks {
        @Test(
            .timeLimit(.minutes(3)),
            arguments: [(LossyDisk.Fault.noSpace, "status=507"), (.ioError, "status=50")])
        func `work waits here while the server's disk is full or fails, and goes up when it does not`(
            fault: LossyDisk.Fault, refusal: String
        ) throws {
            let disk = try LossyDisk()
            let place = TemporaryDirectory()
            // The log lies beside the link, on a disk that works.
            try Shell.script("mkdir \(disk.path)/data; ln -s \(disk.path)/data \(place.path)/data")
            let server = try ServerProcess.start(dataDirectory: place.path + "/data")
            try server.addUser("ann", password: MountedClient.password)
            let client = try MountedClient.mounted(on: server, name: "laptop")
            try client.script("head -c 300000 /dev/urandom > before; echo kept > small")
            try client.sync()

            try disk.fail(fault)
            try client.script("head -c 200000 /dev/urandom > large; echo new > small; mkdir d; mv before d/moved")
            let sums = "find . -type f | LC_ALL=C sort | xargs sha256sum"
            let expected = try client.script(sums)
            try Shell.eventually("the server refuses") { server.log.contains(refusal) }
            #expect(try client.status().pending.files > 0)
            #expect(try client.script(sums) == expected)

            try disk.fail(.none)
            try client.sync()
            let other = try MountedClient.mounted(on: server, name: "desk")
            #expect(try other.script(sums) == expected)
            #expect(try server.run(["fsck"]).code == 0)
        }
    }
}
