import DbxTestKit
import Foundation
import Testing

extension MountTests {
    /// What desktop programs do, by the system calls that they make.
    @Suite struct Desktop {
        @Test(.timeLimit(.minutes(3)))
        func `files saved the ways of editors and office programs keep name, mode and content, here and elsewhere`()
            throws
        {
            let server = try makeServer()
            let client = try MountedClient.mounted(on: server, name: "laptop")
            let other = try MountedClient.mounted(on: server, name: "desk")
            try client.script(
                """
                for f in gnome kde vim emacs office; do echo old > $f.txt; chmod 640 $f.txt; done
                # GNOME: a hidden temporary file, flushed, renamed over.
                echo new > .goutputstream-A1B2C3; chmod 640 .goutputstream-A1B2C3; sync .goutputstream-A1B2C3
                mv .goutputstream-A1B2C3 gnome.txt
                # KDE: a temporary name beside it, with the mode of the old one.
                echo new > kde.txt.XyZ123; chmod --reference=kde.txt kde.txt.XyZ123; mv kde.txt.XyZ123 kde.txt
                # vim: a probe, a swap file, the old file as backup, a new one in its place.
                touch 4913; chmod 644 4913; rm 4913; echo swap > .vim.txt.swp
                mv vim.txt vim.txt~; echo new > vim.txt; chmod --reference=vim.txt~ vim.txt; sync vim.txt; rm vim.txt~ .vim.txt.swp
                # emacs: a dangling link as lock, a backup by link.
                ln -s user@host.123:456 .#emacs.txt; readlink .#emacs.txt >/dev/null; ln emacs.txt emacs.txt~; rm emacs.txt
                echo new > emacs.txt; chmod 640 emacs.txt; rm .#emacs.txt emacs.txt~
                # LibreOffice: a lock file, the content rewritten in place after a copy.
                echo ,user,host > .~lock.office.txt#; cp -p office.txt office.tmp; : > office.txt; echo new > office.txt; sync office.txt
                rm office.tmp .~lock.office.txt#
                """)
            try client.sync()
            let show = "for f in *.txt; do echo $f $(stat -c %a $f) $(cat $f); done; ls -A | wc -l"
            let names = ["emacs", "gnome", "kde", "office", "vim"]
            let expected = (names.map { "\($0).txt 640 new" } + ["5"]).joined(separator: "\n")
            #expect(try client.script(show) == expected)
            try Shell.eventually("the other computer shows the same") { try other.script(show) == expected }
        }

        @Test(.timeLimit(.minutes(2)))
        func `the trash of the mount takes files and directories and gives them back`() throws {
            let server = try makeServer()
            let client = try MountedClient.mounted(on: server, name: "laptop")
            try client.script(
                """
                mkdir -p docs/sub; echo text > docs/a; echo deep > docs/sub/b
                trash=.Trash-$(id -u); mkdir -m 700 $trash $trash/files $trash/info
                put() { set -C; printf '[Trash Info]\\nPath=%s\\n' "$1" > $trash/info/$2.trashinfo; set +C; mv -n "$1" $trash/files/$2; }
                put docs/a a; put docs/sub sub
                [ ! -e docs/a ] && [ ! -e docs/sub ] && [ "$(cat $trash/files/sub/b)" = deep ]
                if (set -C; : > $trash/info/a.trashinfo) 2>/dev/null; then exit 3; fi
                mv $trash/files/a docs/a; rm $trash/info/a.trashinfo
                rm -r $trash/files/sub $trash/info/sub.trashinfo
                [ "$(cat docs/a)" = text ] && [ -z "$(ls $trash/files $trash/info | grep -v : | tr -d '[:space:]')" ]
                """)
        }

        @Test(.timeLimit(.minutes(2)))
        func `a tree that is mostly not cached is browsed without fetching contents`() throws {
            let server = try makeServer()
            let writer = try MountedClient.mounted(on: server, name: "laptop")
            try writer.script(
                "for d in $(seq 10); do mkdir d$d; for f in $(seq 10); do head -c 20000 /dev/urandom > d$d/f$f; done; done"
            )
            try writer.sync()
            let client = try MountedClient.mounted(on: server, name: "desk")
            // A file manager: names, kinds, sizes, dates, attributes; updatedb; du.
            try client.script(
                "ls -laR >/dev/null; find . -type f -newer d1 >/dev/null; getfattr -R . >/dev/null; du -s --apparent-size . ; du -s ."
            )
            #expect(try client.counters().fetchedBlocks == 0)
            // A hundred files of 20,000 bytes, none of them here: they take room all the same, or cp and tar would skip them.
            let kibibytes = try #require(Int(try client.script("du -s . | cut -f1")))
            #expect(kibibytes >= 100 * 20_000 / 1_024)
            #expect(try client.script("findmnt -n -o FSTYPE .") == "fuse.dbxfs")
        }
    }
}
