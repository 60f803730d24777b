/// Work of several computers on one tree, in Python.
enum ConvergenceWorkload {
    /// `program.py MOUNT NAME LOG SEED SECONDS` does random things to a small tree where others do the same, and writes to
    /// files that are nobody else's, of which it says in the log what is done.
    static let program = """
        import hashlib, os, random, shutil, sys, time
        root, me, log, seed, seconds = sys.argv[1], sys.argv[2], open(sys.argv[3], "a"), int(sys.argv[4]), float(sys.argv[5])
        random.seed(seed)
        os.chdir(root)
        def say(*words): log.write(" ".join(words) + "\\n"); log.flush()
        def name():
            leaf = random.choice(["a", "b", "c", "d.loc", "e"])
            return random.choice(["", "", "p/", "q/", "p/r/", "s.loc/"]) + leaf
        def text(): return random.randbytes(random.choice([10, 200, 3000, 70000]))
        def write(path, mode):
            with open(path, mode) as file: file.write(text())
        def save():
            path, new = name(), name() + "~" + me
            write(new, "wb"); os.rename(new, path)
        def own():
            path = "own-" + me + "/" + str(random.randrange(5))
            data = text()
            say("begin", path)
            with open(path, "wb") as file: file.write(data)
            say("done", path, hashlib.sha256(data).hexdigest())
        actions = [own, own, save, save,
            lambda: write(name(), "ab"), lambda: write(name(), "wb"), lambda: os.unlink(name()),
            lambda: os.rename(name(), name()), lambda: os.rename(random.choice("pq"), random.choice(["p", "q", "p/r"])),
            lambda: os.mkdir(random.choice(["p", "q", "p/r", "s.loc"])), lambda: os.link(name(), name()),
            lambda: os.chmod(name(), random.choice([0o600, 0o644, 0o755])), lambda: os.symlink(me, name()),
            lambda: random.random() < 0.2 and shutil.rmtree(random.choice(["p", "q", "p/r"])),
            lambda: time.sleep(random.random() * 0.2)]
        os.makedirs("own-" + me, exist_ok=True)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try: random.choice(actions)()
            except OSError: pass
        """

    /// `tree.py MOUNT` prints kind, mode and content of everything but what rules keep on one computer.
    static let tree = """
        import hashlib, os, stat, sys
        os.chdir(sys.argv[1])
        lines = []
        for directory, folders, files in os.walk("."):
            folders[:] = [name for name in folders if ".loc" not in name]
            for name in folders + [name for name in files if ".loc" not in name]:
                path = os.path.join(directory, name)
                found = os.lstat(path)
                what = ""
                if stat.S_ISLNK(found.st_mode): what = os.readlink(path)
                elif stat.S_ISREG(found.st_mode): what = hashlib.sha256(open(path, "rb").read()).hexdigest()
                lines.append("%s %o %s" % (path, found.st_mode, what))
        print("\\n".join(sorted(lines)))
        """

    /// `judge.py MOUNT LOG` prints what was done and is not there.
    static let judge = """
        import hashlib, os, sys
        os.chdir(sys.argv[1])
        state = {}
        for line in open(sys.argv[2]).read().split("\\n")[:-1]:
            words = line.split()
            state[words[1]] = words[2] if words[0] == "done" else None
        for path, digest in sorted(state.items()):
            if digest and hashlib.sha256(open(path, "rb").read()).hexdigest() != digest: print("lost:", path)
        """

    /// `waiting.py MOUNT` prints what is not on the server, or not as it is here.
    static let waiting = """
        import os, sys
        os.chdir(sys.argv[1])
        for directory, folders, files in os.walk("."):
            for path in [directory] + [os.path.join(directory, name) for name in files]:
                try: state = os.getxattr(path, "user.dbxfs.state", follow_symlinks=False).decode()
                # Links and pipes have no such attributes.
                except OSError as error: state = error.strerror
                if state not in ["synced", "online-only"]: print(path, state)
        """
}
