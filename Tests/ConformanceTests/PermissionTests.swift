import CTestShims
import Glibc
import Testing

extension ConformanceTests {
    /// Users 1000 and 1001, each of a group of its own number.
    @Suite(.root) struct PermissionTests {
        @Test(arguments: [0o400, 0o040, 0o004] as [mode_t])
        func `owner, group and others read what their bits let them read`(bit: mode_t) throws {
            let path = try makeDirectory() + "/f"
            try put("x", at: path, mode: bit)
            try succeed(chown(path, 1000, 1000))
            for (user, group, own) in [(1000, 1000, 0o400), (1001, 1000, 0o040), (1002, 1002, 0o004)]
                as [(
                    uid_t, gid_t, mode_t
                )]
            {
                let result = Result { try asUser(user, group: group) { _ = try content(path) } }
                if own == bit { try result.get() } else { expect(EACCES) { try result.get() } }
            }
        }

        @Test func `a directory without its execute bit lets nobody through, without write nobody change names`() throws
        {
            let path = try makeDirectory()
            try succeed(mkdir(path + "/d", 0o755))
            try put("x", at: path + "/d/f")
            try succeed(chmod(path + "/d", 0o666))
            expect(EACCES) { try asUser(1000) { _ = try status(path + "/d/f") } }
            try succeed(chmod(path + "/d", 0o755))
            expect(EACCES) { try asUser(1000) { try succeed(unlink(path + "/d/f")) } }
            expect(EACCES) { try asUser(1000) { try put("", at: path + "/d/g") } }
            expect(EACCES) { try asUser(1000) { try move(path + "/d/f", to: path + "/f") } }
        }

        @Test func `in a sticky directory only owners of the name or the directory take names away`() throws {
            let path = try makeDirectory()
            try succeed(chmod(path, 0o1777))
            try asUser(1000) { for name in ["a", "b", "c"] { try put("x", at: path + "/" + name) } }
            expect(EPERM) { try asUser(1001) { try succeed(unlink(path + "/a")) } }
            expect(EPERM) { try asUser(1001) { try move(path + "/a", to: path + "/z") } }
            try asUser(1001) { try put("y", at: path + "/theirs") }
            expect(EPERM) { try asUser(1001) { try move(path + "/theirs", to: path + "/a") } }
            try asUser(1000) { try succeed(unlink(path + "/a")) }
            try succeed(chown(path, 1001, 1001))
            try asUser(1001) { try succeed(unlink(path + "/b")) }
        }

        @Test func `only the owner changes mode and times, and only root gives a file away`() throws {
            let path = try makeDirectory() + "/f"
            try asUser(1000) { try put("x", at: path) }
            expect(EPERM) { try asUser(1001) { try succeed(chmod(path, 0o777)) } }
            expect(EPERM) { try asUser(1000) { try succeed(chown(path, 1001, 1000)) } }
            expect(EPERM) { try asUser(1000) { try succeed(chown(path, 1000, 1001)) } }
            let past = timespec(tv_sec: 1, tv_nsec: 0)
            expect(EPERM) { try asUser(1001) { try succeed(utimensat(AT_FDCWD, path, [past, past], 0)) } }
            expect(EACCES) { try asUser(1001) { try succeed(utimensat(AT_FDCWD, path, nil, 0)) } }
            try succeed(chmod(path, 0o666))
            try asUser(1001) { try succeed(utimensat(AT_FDCWD, path, nil, 0)) }
            try succeed(chown(path, 1001, 1002))
            #expect(try status(path).st_uid == 1001 && status(path).st_gid == 1002)
        }

        @Test func `what is made belongs to its maker; a set-group-id directory hands its group down`() throws {
            let path = try makeDirectory()
            try asUser(1000) { try put("", at: path + "/f") }
            #expect(try status(path + "/f").st_uid == 1000 && status(path + "/f").st_gid == 1000)
            try succeed(chown(path, 0, 2000))
            try succeed(chmod(path, 0o2777))
            try asUser(1000) {
                try put("", at: path + "/g")
                try succeed(mkdir(path + "/d", 0o755))
            }
            #expect(try status(path + "/g").st_gid == 2000 && status(path + "/g").permissions & 0o2000 == 0)
            #expect(try status(path + "/d").st_gid == 2000 && status(path + "/d").permissions & 0o2000 != 0)
            expect(EPERM) { try asUser(1001) { try succeed(chmod(path + "/g", 0o2755)) } }
            try asUser(1000) { try succeed(chmod(path + "/g", 0o2755)) }
            #expect(try status(path + "/g").permissions == 0o755, "1000 is not in the file's group")
        }

        enum Change: CaseIterable { case write, truncate, open, allocate, punch, copy, direct, chown }

        @Test(arguments: Change.allCases)
        func `set-id bits go when somebody else changes the content, or the owner changes`(_ change: Change) throws {
            let path = try makeDirectory() + "/f"
            try put(String(repeating: "x", count: 9_000), at: path)
            try succeed(chown(path, 1000, 1000))
            try succeed(chmod(path, 0o6777))
            if change == .chown {
                try succeed(chown(path, 1001, 1001))
            } else {
                try asUser(1001) { try make(change, path) }
            }
            // As stat(1) asks for the mode alone, which the kernel may believe to know.
            #expect(dbxfs_test_mode(path) & 0o7777 == 0o777)
            #expect(try status(path).permissions == 0o777)
        }

        @Test(arguments: Change.allCases)
        func `file capabilities go when anybody changes the content or the owner; root keeps set-id bits`(
            _ change: Change
        ) throws {
            let path = try makeDirectory() + "/f"
            try put(String(repeating: "x", count: 9_000), at: path)
            try succeed(chmod(path, 0o4777))
            // cap_net_raw, effective: struct vfs_cap_data of revision 2.
            let capability: [UInt8] = [1, 0, 0, 2, 0, 0x20, 0, 0] + [UInt8](repeating: 0, count: 12)
            try succeed(setxattr(path, "security.capability", capability, capability.count, 0))
            if change == .chown {
                try succeed(chown(path, 1001, 1001))
            } else {
                try make(change, path)
                #expect(try status(path).permissions == 0o4777)
            }
            expect(ENODATA) { try succeed(getxattr(path, "security.capability", nil, 0)) }
        }

        private func make(_ change: Change, _ path: String) throws {
            let flags =
                O_RDWR | (change == .open ? O_TRUNC : change == .direct ? Int32(dbxfs_test_o_direct) : 0)
            let file = try File(path, flags)
            defer { file.stay() }
            switch change {
            case .write: try file.write("y")
            case .truncate: try file.truncate(to: 5)
            case .allocate: try file.allocate(0, 0..<20_000)
            case .punch: try file.allocate(3, 0..<4_096)
            case .copy: try succeed(dbxfs_test_copy(file.descriptor, 0, file.descriptor, 5_000, 100))
            case .direct:
                var page: UnsafeMutableRawPointer?
                posix_memalign(&page, 4_096, 4_096)
                defer { free(page) }
                memset(page!, 0, 4_096)
                try succeed(pwrite(file.descriptor, page, 4_096, 0))
            case .open, .chown: break
            }
        }
    }
}
