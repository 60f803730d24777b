import DbxTestKit
import Foundation
import Testing

extension MountTests {
    /// Two computers of one account.
    @Suite struct TwoMounts {
        @Test(.timeLimit(.minutes(3)))
        func `each sees what the other creates, edits, renames and deletes`() throws {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here")
            let there = try MountedClient.mounted(on: server, name: "there")
            func sees(_ client: MountedClient, _ condition: String) throws {
                try Shell.eventually("\(client.name): \(condition)") {
                    try Shell.run(["bash", "-c", condition], in: client.mountPoint).code == 0
                }
            }
            // What is not there is asked for first, so that a negative answer is cached.
            try sees(there, "[ ! -e file ]")
            try here.script("echo one > file; mkdir dir")
            try sees(there, #"[ "$(cat file 2>/dev/null)" = one ]"#)
            try there.script("echo two >> file")
            try sees(here, #"[ "$(tail -1 file)" = two ]"#)
            try here.script("mv file dir/moved; chmod 600 dir/moved")
            try sees(there, "[ ! -e file ] && [ -e dir/moved ] && [ $(stat -c %a dir/moved) = 600 ]")
            try there.script("rm dir/moved")
            try sees(here, #"[ -z "$(ls dir)" ]"#)
            // Empty, and nothing else happens after it.
            try here.script("touch empty")
            try sees(there, "[ -e empty ] && [ ! -s empty ]")
            try here.script("rmdir dir; ln -s nowhere link")
            try sees(there, #"[ ! -e dir ] && [ "$(readlink link)" = nowhere ]"#)
        }

        @Test(.timeLimit(.minutes(3)))
        func `a program that has the file open for writing is not disturbed`() throws {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here")
            let there = try MountedClient.mounted(on: server, name: "there")
            try here.script("echo base > file")
            try here.sync()
            try Shell.eventually("there has the file") {
                FileManager.default.fileExists(atPath: there.path("file"))
            }
            let handle = try #require(FileHandle(forUpdatingAtPath: there.path("file")))
            try handle.seekToEnd()
            try handle.write(contentsOf: Data("from there\n".utf8))
            try here.script("echo from here > other; echo from here >> file")
            try here.sync()
            try Shell.eventually("there has the other file") {
                FileManager.default.fileExists(atPath: there.path("other"))
            }
            try handle.seek(toOffset: 0)
            #expect(try handle.readToEnd() == Data("base\nfrom there\n".utf8))
            try handle.close()
            try there.sync()
            // Both changed the file: both versions stay, on both computers.
            for client in [here, there] {
                try Shell.eventually("\(client.name) has both versions") {
                    let text = try client.script("cat *")
                    return text.contains("from there") && text.contains("from here\nfrom here")
                        || (text.contains("from there") && text.contains("base\nfrom here"))
                }
            }
        }

        @Test(.timeLimit(.minutes(2)))
        func `what is written to a file that was replaced or removed elsewhere is kept when it is closed`() throws {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here")
            let there = try MountedClient.mounted(on: server, name: "there")
            try here.script("echo base > replaced; echo base > removed")
            try here.sync()
            try Shell.eventually("there has the files") { try there.script("cat replaced removed") == "base\nbase" }
            let names = ["replaced", "removed"]
            let handles = try names.map { try #require(FileHandle(forUpdatingAtPath: there.path($0))) }
            try here.script("echo from here > new; mv new replaced; rm removed")
            try here.sync()
            try Shell.eventually("there sees it") { try there.script("cat *") == "from here" }
            for handle in handles {
                try handle.write(contentsOf: Data("from there\n".utf8))
                try handle.synchronize()
            }
            // The program goes on after the daemon is gone and lost its file; what it has synced is kept.
            try there.crash()
            for handle in handles { try? handle.close() }
            try there.mount()
            try there.sync()
            for client in [here, there] {
                try Shell.eventually("\(client.name) has all versions") {
                    try client.script("cat replaced; cat removed; cat *conflicted*")
                        == "from here\nfrom there\nfrom there"
                }
            }
        }

        @Test(.timeLimit(.minutes(4)))
        func `a computer that lost everything gets all of it back`() throws {
            let server = try makeServer()
            let first = try MountedClient.mounted(on: server, name: "first")
            try first.script(
                """
                cp -r /usr/include/linux headers; cp -r /etc/apt etc-apt; head -c 20000000 /dev/urandom > random
                ln headers/fuse.h hard; ln -s headers soft; truncate -s 100M sparse
                """, limitSeconds: 180)
            let checksums = "find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum"
            let modes = "find . -printf '%P %y %m %l %n %T@\\n' | LC_ALL=C sort | sha256sum"
            let (content, metadata) = (try first.script(checksums), try first.script(modes))
            try first.unmount(wait: true)
            try first.wipe()
            let second = try MountedClient.mounted(on: server, name: "second")
            #expect(try second.script(checksums, limitSeconds: 180) == content)
            #expect(try second.script(modes) == metadata)
        }
    }
}
