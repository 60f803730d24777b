import DbxTestKit
import Testing

extension MountTests {
    /// A connection where data cost money: contents wait until somebody asks for them.
    @Suite struct Metered {
        @Test(.timeLimit(.minutes(3)))
        func `names go on, contents wait until they are asked for`() throws {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here")
            let there = try MountedClient.mounted(on: server, name: "there")
            try there.script("head -c 300000 /dev/urandom > far")
            try there.sync()
            try Shell.eventually("the name is here") { try here.script("ls").contains("far") }
            #expect(try here.succeed(["limit", "--metered", "on"]).contains("metered  on"))

            try here.script("echo words > file; mkdir folder; touch empty")
            try Shell.eventually("names are there") { try there.script("ls").contains("folder") }
            try Shell.eventually("also of what is empty") { try there.script("ls").contains("empty") }
            try here.succeed(["pin", here.path("far")])
            #expect(try !there.script("ls").contains("file"))
            #expect(try here.succeed(["status"]).contains("contents wait"))
            #expect(try here.counters().fetchedBytes == 0)

            #expect(try here.script("sha256sum < far") == there.script("sha256sum < far"))
            try here.sync()
            try Shell.eventually("what was asked for is there") { try there.script("cat file || :") == "words" }

            try here.script("echo more >> file")
            try here.unmount()
            try here.mount()
            #expect(try here.status().pending.files == 1)
            try here.succeed(["limit", "--metered", "off"])
            try Shell.eventually("it goes by itself") { try there.script("wc -l < file") == "2" }
            #expect(try here.run(["limit", "--metered", "perhaps"]).code == 2)
        }

        @Test(.enabled(if: Machine.hasBus, "needs dbus-daemon, python3-dbus and python3-gi"), .timeLimit(.minutes(3)))
        func `by itself, as NetworkManager says`() throws {
            let server = try makeServer()
            let bus = try FakeSystemBus()
            let client = try MountedClient(server: server, name: "laptop")
            client.extraEnvironment = bus.environment
            try #require(client.login().code == 0)
            try client.mount()
            try bus.expect("delayed by dbxfs")
            #expect(try !client.succeed(["status"]).contains("contents wait"))
            try bus.announce(metered: true)
            // Asks anew, as a change of the network does.
            try client.succeed(["limit", "--metered", "auto"])
            try Shell.eventually("it is noticed") { try client.succeed(["status"]).contains("contents wait") }
            try client.script("echo words > file")
            try bus.announce(metered: false)
            try client.succeed(["limit", "--metered", "auto"])
            try Shell.eventually("nothing waits") { try client.status().pending.files == 0 }
        }
    }
}
