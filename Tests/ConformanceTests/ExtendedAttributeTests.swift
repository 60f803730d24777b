import CTestShims
import Glibc
import Testing

extension ConformanceTests {
    @Suite struct ExtendedAttributeTests {
        private func set(_ path: String, _ name: String, _ value: [UInt8] = [1], flags: Int32 = 0) throws {
            try succeed(lsetxattr(path, name, value, value.count, flags))
        }

        private func get(_ path: String, _ name: String) throws -> [UInt8] {
            var value = [UInt8](repeating: 0, count: 65_536)
            return Array(value[..<(try succeed(lgetxattr(path, name, &value, value.count)))])
        }

        private func list(_ path: String) throws -> [String] {
            var names = [CChar](repeating: 0, count: 65_536)
            let count = try succeed(llistxattr(path, &names, names.count))
            return names[..<count].split(separator: 0).map {
                String(decoding: $0.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            }.sorted()
        }

        private func makeFile() throws -> String {
            let path = try makeDirectory() + "/f"
            try put("", at: path)
            return path
        }

        @Test func `values are made, replaced, listed and removed, each only as asked`() throws {
            let path = try makeFile()
            expect(ENODATA) { _ = try get(path, "user.a") }
            expect(ENODATA) { try set(path, "user.a", flags: 2) }
            try set(path, "user.a", [0, 255, 0], flags: 1)
            expect(EEXIST) { try set(path, "user.a", flags: 1) }
            try set(path, "user.empty", [])
            #expect(try get(path, "user.a") == [0, 255, 0] && get(path, "user.empty") == [])
            #expect(try list(path) == ["user.a", "user.empty"])
            try succeed(removexattr(path, "user.a"))
            expect(ENODATA) { try succeed(removexattr(path, "user.a")) }
        }

        @Test func `names have 255 bytes, values 64 KiB, and a buffer that is too small is ERANGE`() throws {
            let path = try makeFile()
            try set(path, "user." + String(repeating: "n", count: 250), [UInt8](repeating: 7, count: 65_536))
            expect(ERANGE) { try set(path, "user." + String(repeating: "n", count: 251)) }
            expect(E2BIG) { try set(path, "user.b", [UInt8](repeating: 7, count: 65_537)) }
            try set(path, "user.b", [1, 2, 3])
            var small = [UInt8](repeating: 0, count: 2)
            expect(ERANGE) { try succeed(getxattr(path, "user.b", &small, 2)) }
            #expect(getxattr(path, "user.b", nil, 0) == 3)
        }

        @Test func `classes that are not kept, and ACLs, are EOPNOTSUPP; a class alone is EINVAL`() throws {
            let path = try makeFile()
            expect(EOPNOTSUPP) { try set(path, "other.a") }
            expect(EOPNOTSUPP) { try set(path, "plain") }
            expect(EINVAL) { try set(path, "user.") }
            let acl: [UInt8] = [2, 0, 0, 0] + [1, 4, 32].flatMap { [$0, 0, 6, 0, 255, 255, 255, 255] }
            expect(EOPNOTSUPP) { try set(path, "system.posix_acl_access", acl) }
        }

        @Test func `symlinks and special files have no user attributes`() throws {
            let path = try makeDirectory()
            try succeed(symlink("x", path + "/s"))
            try succeed(mkfifo(path + "/p", 0o644))
            expect(EPERM) { try set(path + "/s", "user.a") }
            expect(EPERM) { try set(path + "/p", "user.a") }
        }

        @Test(.root) func `trusted and security attributes are root's to set, and trusted ones root's to see`() throws {
            let path = try makeFile()
            try succeed(chmod(path, 0o666))
            try set(path, "trusted.a", [5])
            try set(path, "security.label", [6])
            try set(path, "user.a", [7])
            #expect(try list(path) == ["security.label", "trusted.a", "user.a"])
            #expect(try get(path, "security.label") == [6])
            let shown = try asUser(1000) { try list(path) }
            #expect(shown == ["security.label", "user.a"])
            expect(EPERM) { try asUser(1000) { try set(path, "trusted.b") } }
            expect(EPERM) { try asUser(1000) { try set(path, "security.label") } }
        }
    }
}
