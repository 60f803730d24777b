import DbxTestKit
import Foundation
import Testing

extension MountTests {
    /// The guard against mass changes as it is set for everybody, on a tree that is older than a day.
    @Suite struct Guard {
        /// Clones, switches branches, packs; makes and cleans; installs and removes packages; saves as editors do.
        private static let day = """
            export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
            git clone -q "$1" work && cd work
            for i in 1 2 3; do
                git checkout -q -b branch$i
                for f in src/f*0; do echo "$i" >> $f; done
                git commit -qam "$i" && git checkout -q main && git merge -q --no-edit branch$i
            done
            git gc -q && git checkout -q HEAD~2 && git checkout -q main
            for round in 1 2; do
                mkdir -p build && for f in src/*; do cp $f build/${f##*/}.o; done
                mkdir -p node_modules && for i in {1..1500}; do echo $i > node_modules/$i.js; done
                rm -rf build node_modules
            done
            cd ../photos
            for i in {1..40}; do echo better > .new$i && mv .new$i p$i; rm p1$i; done
            """

        @Test(.timeLimit(.minutes(4)))
        func `a day of git, make and npm passes; a tree that is removed or encrypted waits, and the desktop is told`()
            throws
        {
            let server = try makeServer()
            let clock = try TestClock()
            let tools = TemporaryDirectory()
            try Shell.script(
                "printf '#!/bin/sh\necho \"$*\" >> \(tools.path)/told\n' > notify-send; chmod +x notify-send",
                in: tools.path)
            let client = try MountedClient(server: server, name: "laptop")
            client.extraEnvironment = clock.environment.merging([
                "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere",
                "PATH": tools.path + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"),
            ]) { $1 }
            try #require(try client.login().code == 0)
            try client.mount()
            try Shell.script(
                """
                export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
                git init -q -b main repository && cd repository && mkdir src
                for i in {1..300}; do seq $i $((i + 50)) > src/f$i; done
                git add . && git commit -qm first
                """, in: tools.path)
            try client.script(
                "mkdir photos papers; for i in {1..1200}; do seq $i 1300 > photos/p$i; done; cp photos/p1* papers")
            try client.sync()
            try clock.set(daysOff: 2)
            try client.script("set -- \(tools.path)/repository; " + Self.day, limitSeconds: 200)
            try client.sync()
            #expect(try client.succeed(["guard"]).contains("Nothing is held back"))

            try clock.set(daysOff: 4)
            let tree = "find photos papers -type f -print0 | sort -z | xargs -0 sha256sum"
            let before = try client.script(tree)
            let other = try MountedClient.mounted(on: server, name: "desk")
            let attacks = [
                "rm -rf photos",
                """
                python3 -c 'import os
                for name in os.listdir("photos"):
                    data = open("photos/" + name, "rb").read()
                    open("photos/" + name, "wb").write(bytes(255 - byte for byte in data))'
                """,
            ]
            for attack in attacks {
                // At one moment, however slow the machine: what goes up before there is too much is gone.
                try client.succeed(["pause"])
                try client.script(attack)
                try client.succeed(["resume"])
                #expect(try client.run(["sync"]).code == 5)
                #expect(try other.script(tree) == before)
                try client.succeed(["guard", "undo"])
                try Shell.eventually("all is back", withinSeconds: 60) { try client.script(tree) == before }
                try client.sync()
            }
            #expect(try other.script(tree) == before)
            let told = try String(contentsOfFile: tools.path + "/told", encoding: .utf8)
            #expect(told.split(separator: "\n").count { $0.contains("are held back") } == 2)
        }
    }
}
