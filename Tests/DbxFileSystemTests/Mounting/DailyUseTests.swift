import CTestShims
import DbxFileSystem
import DbxMount
import Foundation
import Testing

/// What people do every day, with the programs they do it with, on a real mount without a server.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct DailyUseTests {
    @Test func `shell tools create, copy, move, find and remove`() throws {
        try withMountedTree { tree in
            try tree.run(
                """
                mkdir -p a/b/c && echo hello > a/b/c/f && cp -a a copy && mv copy/b/c/f copy/g
                test "$(cat copy/g)" = hello && test "$(find . -type f | sort | tr '\\n' ' ')" = './a/b/c/f ./copy/g '
                ln -s a/b link && test "$(readlink link)" = a/b && test -f link/c/f
                rm -r copy link && test "$(ls)" = a && rmdir a 2>/dev/null && exit 1
                rm -r a && test -z "$(ls -A)"
                """)
        }
    }

    @Test func `git makes a repository, commits, branches and checks it`() throws {
        try withMountedTree { tree in
            try tree.run(
                """
                git init -q -b main r && cd r && for i in $(seq 50); do echo "line $i" > "f$i"; done
                git add -A && git commit -qm first && git checkout -qb other && sed -i s/line/row/ f7 && git commit -qam second
                git checkout -q main && git merge -q other && git gc -q && git fsck --strict
                test -z "$(git status --porcelain)" && test "$(cat f7)" = 'row 7'
                """)
        }
    }

    @Test func `sqlite keeps a database in both journal modes`() throws {
        guard MountedTree.has("sqlite3") else { return }
        try withMountedTree { tree in
            for mode in ["delete", "wal"] {
                let answer = try tree.run(
                    """
                    sqlite3 \(mode).db "PRAGMA journal_mode=\(mode); CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);
                        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<5000)
                        INSERT INTO t SELECT i, hex(randomblob(50)) FROM n; DELETE FROM t WHERE a % 3 = 0;
                        PRAGMA integrity_check; SELECT count(*) FROM t;"
                    """)
                #expect(answer.hasSuffix("ok\n3334"))
            }
        }
    }

    @Test func `a C program is compiled, linked and run`() throws {
        guard MountedTree.has("gcc") else { return }
        try withMountedTree { tree in
            let answer = try tree.run(
                """
                mkdir src && printf '#include "h.h"\\n#include <stdio.h>\\nint main(){printf("%%d\\\\n", f(20));}' > src/m.c
                echo 'int f(int);' > src/h.h && printf '#include "h.h"\\nint f(int x){return x*2+2;}' > src/f.c
                gcc -c -o m.o src/m.c && gcc -c -o f.o src/f.c && gcc -o program m.o f.o && ./program
                """)
            #expect(answer == "42")
        }
    }

    @Test func `tar and rsync bring back what they took`() throws {
        try withMountedTree { tree in
            try tree.run(
                """
                mkdir -p t/d && head -c 3000000 /dev/urandom > t/d/big && echo x > t/small && ln -s small t/l && mkfifo t/p
                ln t/small t/hard && truncate -s 20M t/sparse && chmod 4711 t/small && touch -d '2001-02-03 04:05:06.123456789' t/d
                tar --format=posix -cSf t.tar t && mkdir out && tar -xSpf t.tar -C out && diff -r --no-dereference t/d out/t/d
                cmp t/sparse out/t/sparse && test "$(stat -c '%a %h %y' t/small t/d t/p)" = "$(stat -c '%a %h %y' out/t/small out/t/d out/t/p)"
                test $(stat -c %b out/t/sparse) -lt 100
                """)
            if MountedTree.has("rsync") {
                try tree.run("rsync -aHAX --sparse t/ copy/ && test -z \"$(rsync -aHAXn --delete -i t/ copy/)\"")
            }
        }
    }

    @Test func `programs share memory through a mapped file and see what is written`() throws {
        try withMountedTree { tree in
            let path = tree.path + "/mapped"
            let file = open(path, O_RDWR | O_CREAT, 0o644)
            #expect(file >= 0 && ftruncate(file, 8192) == 0)
            let memory = mmap(nil, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)!
            memory.storeBytes(of: 0x1122_3344, toByteOffset: 4096, as: UInt32.self)
            #expect(msync(memory, 8192, MS_SYNC) == 0)
            var word: UInt32 = 0
            #expect(pread(file, &word, 4, 4096) == 4 && word == 0x1122_3344)
            word = 0x5566_7788
            #expect(pwrite(file, &word, 4, 0) == 4)
            #expect(memory.load(as: UInt32.self) == 0x5566_7788)
            munmap(memory, 8192)
            close(file)
            let dump = try tree.run("od -An -tx4 -j4096 -N4 mapped")
            #expect(dump.contains("11223344"))
        }
    }

    @Test func `an unlinked file lives as long as it is open`() throws {
        try withMountedTree { tree in
            try tree.run(
                """
                exec 3<>open && echo before >&3 && rm open && test ! -e open && echo after >&3
                test "$(cat /proc/self/fd/3)" = "$(printf 'before\\nafter')" && exec 3>&-
                mkdir d && cd d && rmdir ../d && test -z "$(ls -A . 2>/dev/null)" && ! touch x 2>/dev/null
                """)
        }
    }

    @Test func `a file is replaced by rename while another program reads it`() throws {
        try withMountedTree { tree in
            try tree.run(
                """
                echo old > f && exec 3<f && for i in $(seq 100); do echo "new $i" > f.tmp && mv f.tmp f; done
                test "$(cat <&3)" = old && test "$(cat f)" = 'new 100' && test "$(ls)" = f
                """)
        }
    }

    @Test func `names may hold newlines and bytes that are no text`() throws {
        try withMountedTree { tree in
            try tree.run(
                """
                touch $'a\\nb' $'\\xff\\xfe' 'with space' && test $(find . -type f -print0 | tr -dc '\\0' | wc -c) = 3
                n=$(printf '%0255d' 7) && touch "$n" && test -e "$n" && ! touch "x$n" 2>/dev/null
                rm $'a\\nb' $'\\xff\\xfe' 'with space' "$n" && test -z "$(ls -A)"
                """)
        }
    }

    @Test func `hard links, extended attributes and times are kept`() throws {
        try withMountedTree { tree in
            try tree.run(
                "echo x > a && ln a b && test $(stat -c %h a) = 2 && test $(stat -c %i a) = $(stat -c %i b) && rm a && test $(stat -c %h b) = 1"
            )
            let path = tree.path + "/b"
            #expect(setxattr(path, "user.note", "value", 5, Int32(XATTR_CREATE)) == 0)
            #expect(setxattr(path, "user.note", "value", 5, Int32(XATTR_CREATE)) == -1 && errno == EEXIST)
            var value = [UInt8](repeating: 0, count: 16)
            #expect(getxattr(path, "user.note", &value, 16) == 5 && value.starts(with: Array("value".utf8)))
            #expect(getxattr(path, "user.note", &value, 2) == -1 && errno == ERANGE)
            #expect(getxattr(path, "user.none", &value, 16) == -1 && errno == ENODATA)
            #expect(listxattr(path, nil, 0) == 10)
            #expect(removexattr(path, "user.note") == 0 && listxattr(path, nil, 0) == 0)
            #expect(getxattr(path, "system.posix_acl_access", &value, 16) == -1 && errno == EOPNOTSUPP)
            try tree.run(
                "touch -d '1999-12-31 23:59:59.987654321' b && test \"$(stat -c %y b)\" = '1999-12-31 23:59:59.987654321 +0000'"
            )
        }
    }
}
