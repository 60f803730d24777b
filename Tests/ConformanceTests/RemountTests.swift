import DbxTestKit
import Glibc
import Testing

extension ConformanceTests {
    @Suite(.timeLimit(.minutes(2))) struct RemountTests {
        @Test func `attributes, times, links, holes and numbers are the same after a remount and elsewhere`() throws {
            let server = try ServerProcess.start()
            try server.addUser("ann", password: MountedClient.password)
            let first = try MountedClient.mounted(on: server, name: "laptop")
            try first.script(
                """
                mkdir -m 1770 d; echo one > d/f; ln d/f hard; ln -s d/f soft; mkfifo -m 600 pipe
                setfattr -n user.note -v text d/f; chmod 4711 d/f
                truncate -s 20T big; printf data | dd of=big bs=1 seek=5T conv=notrunc status=none
                touch -d '1969-12-31 23:59:58.123456789 UTC' d/f; touch -hd '2038-01-20 03:14:08.000000001 UTC' soft
                touch -d '2001-02-03 04:05:06.987654321 UTC' d big pipe
                """)
            let list =
                "find . -mindepth 1 -printf '%p %m %n %s %b %T@ %y %l\\n' | sort; find . -type f | sort | xargs getfattr -d"
            let numbers = "find . -mindepth 1 -printf '%p %i %C@\\n' | sort"
            let (before, numbersBefore) = (try first.script(list), try first.script(numbers))
            #expect(before.contains("./d/f 4711 2 4") && before.contains("-2.123456789"))
            try first.sync()
            try first.unmount()
            try first.mount()
            #expect(try first.script(list) == before)
            #expect(try first.script(numbers) == numbersBefore)
            let second = try MountedClient.mounted(on: server, name: "desk")
            #expect(try second.script(list) == before)
            #expect(try second.script("dd if=big bs=1 skip=5T count=4 status=none") == "data")
        }
    }
}
