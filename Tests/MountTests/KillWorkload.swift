import Testing

/// Work that a kill interrupts, in Python: `writer.py MOUNT LOG SEED` goes on where it was interrupted and says in a log outside
/// of the mount what is done; `judge.py MOUNT LOG` prints "right" where all of that is there.
struct KillWorkload: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let writer: String
    let judge: String
    /// In CI.
    let rounds: Int

    static let all = [files, git, trees]

    /// Changes files by writes, cuts and renames over them, and inserts into a database. A file that was being changed may be
    /// either.
    private static let files = KillWorkload(
        testDescription: "files and a database",
        writer: """
            import hashlib, os, random, sqlite3, sys
            root, log, seed = sys.argv[1], open(sys.argv[2], "a"), int(sys.argv[3])
            random.seed(seed)
            def say(*words): log.write(" ".join(map(str, words)) + "\\n"); log.flush()
            def put(name, data): say("done", name, hashlib.sha256(data).hexdigest())
            db = sqlite3.connect(root + "/base.db", isolation_level=None)
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA journal_mode = %s" % random.choice(["WAL", "DELETE"]))
            db.execute("CREATE TABLE IF NOT EXISTS t (x INTEGER PRIMARY KEY, y BLOB)")
            while True:
                name = "f%d" % random.randrange(12)
                path = root + "/" + name
                kind = random.randrange(6)
                if kind == 0:
                    db.execute("INSERT INTO t (y) VALUES (?)", (random.randbytes(3000),))
                    say("rows", db.execute("SELECT max(x) FROM t").fetchone()[0])
                    continue
                old = open(path, "rb").read() if os.path.exists(path) else b""
                new = random.randbytes(random.randrange(1, 90000))
                place = random.randrange(len(old) + 1)
                say("begin", name)
                if kind == 1:
                    data = new
                    with open(root + "/new", "wb") as file: file.write(data); file.flush(); os.fsync(file.fileno())
                    os.rename(root + "/new", path)
                elif kind == 2 and old:
                    data = old[:place]
                    os.truncate(path, place)
                else:
                    data = old[:place] + new + old[place + len(new):]
                    file = os.open(path, os.O_RDWR | os.O_CREAT)
                    os.pwrite(file, new, place)
                    if kind == 3: os.fsync(file)
                    os.close(file)
                put(name, data)
            """,
        judge: """
            import hashlib, os, sqlite3, sys
            root, log = sys.argv[1], sys.argv[2]
            state, rows = {}, 0
            for line in open(log).read().split("\\n")[:-1]:
                words = line.split()
                if words[0] == "rows": rows = int(words[1])
                else: state[words[1]] = words[2] if words[0] == "done" else None
            wrong = []
            for name, digest in sorted(state.items()):
                if digest is None: continue
                found = hashlib.sha256(open(root + "/" + name, "rb").read()).hexdigest()
                if found != digest: wrong.append("%s is not what was written" % name)
            if os.path.exists(root + "/base.db"):
                db = sqlite3.connect(root + "/base.db")
                if db.execute("PRAGMA integrity_check").fetchone()[0] != "ok": wrong.append("base.db is damaged")
                if rows:
                    count = db.execute("SELECT count(*) FROM t").fetchone()[0]
                    if count < rows: wrong.append("base.db lost rows: %d of %d" % (count, rows))
            print("; ".join(wrong) or "right", len(state), rows)
            """,
        rounds: 6)

    /// Commits, packs and clones. What git has reported as committed is in the history, and git finds nothing wrong.
    private static let git = KillWorkload(
        testDescription: "git",
        writer: """

            import glob, os, random, subprocess, sys
            root, log, seed = sys.argv[1], open(sys.argv[2], "a"), int(sys.argv[3])
            random.seed(seed)
            repo = root + "/repo"
            os.environ.update(GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_SYSTEM="/dev/null")
            def git(*words):
                command = ["git", "-C", repo, "-c", "user.name=a", "-c", "user.email=a@b", "-c", "gc.auto=0", *words]
                return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
            os.makedirs(repo, exist_ok=True)
            # As somebody does whose git was interrupted.
            for lock in glob.glob(repo + "/.git/**/*.lock", recursive=True): os.unlink(lock)
            git("init", "-q")
            while True:
                for _ in range(random.randrange(1, 30)):
                    with open("%s/f%d" % (repo, random.randrange(60)), "wb") as file: file.write(random.randbytes(random.randrange(20000)))
                git("add", "-A")
                git("commit", "-q", "--allow-empty", "-m", "more")
                print(git("rev-parse", "HEAD"), file=log, flush=True)
                if random.randrange(6) == 0: git("gc", "-q")
                if random.randrange(6) == 0:
                    subprocess.run(["rm", "-rf", root + "/clone"], check=True)
                    git("clone", "-q", repo, root + "/clone")
            """,
        judge: """

            import os, subprocess, sys
            root, log = sys.argv[1], sys.argv[2]
            os.environ.update(GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_SYSTEM="/dev/null")
            commits = open(log).read().split() if os.path.exists(log) else []
            def git(*words): return subprocess.run(["git", "-C", root + "/repo", *words], capture_output=True, text=True)
            if commits:
                check = git("fsck", "--full", "--strict", "--no-dangling")
                known = git("merge-base", "--is-ancestor", commits[-1], "HEAD")
                if check.returncode or known.returncode: sys.exit(print(check.stdout, check.stderr, known.stderr, commits[-1]))
            print("right", len(commits))
            """,
        rounds: 3)

    /// Unpacks an archive again and again. What tar has unpacked is as in the archive, with modes and times.
    private static let trees = KillWorkload(
        testDescription: "unpacked trees",
        writer: """

            import os, random, shutil, subprocess, sys
            root, log, seed = sys.argv[1], open(sys.argv[2], "a"), int(sys.argv[3])
            random.seed(seed)
            archive = sys.argv[2] + ".tar"
            if not os.path.exists(archive):
                subprocess.run(["tar", "-cf", archive + ".new", "-C", "/usr/include/linux", "."], check=True)
                os.rename(archive + ".new", archive)
            while True:
                name = "tree%d" % random.randrange(3)
                print("begin", name, file=log, flush=True)
                shutil.rmtree(root + "/" + name, ignore_errors=True)
                os.mkdir(root + "/" + name)
                subprocess.run(["tar", "-xf", archive, "-C", root + "/" + name], check=True, capture_output=True)
                print("done", name, file=log, flush=True)
            """,
        judge: """

            import os, subprocess, sys
            root, log = sys.argv[1], sys.argv[2]
            state = {}
            for line in open(log).read().split("\\n")[:-1] if os.path.exists(log) else []:
                word, name = line.split()
                state[name] = word
            for name, word in sorted(state.items()):
                if word == "begin": continue
                check = subprocess.run(["tar", "-df", log + ".tar", "-C", root + "/" + name], capture_output=True, text=True)
                if check.returncode: sys.exit(print(name, check.stdout[:500], check.stderr[:500]))
            print("right", sorted(state.values()))
            """,
        rounds: 3)
}
