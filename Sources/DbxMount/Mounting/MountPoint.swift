import DbxSystem
package import FuseLowLevel
import Glibc

/// A directory to mount on: checked, its path absolute and free of symlinks.
package struct MountPoint: Hashable, Sendable {
    package let path: String

    /// Checks that a mount can go there. A dead mount of a daemon that was killed is cleaned away first. Throws with a
    /// text that says what to do.
    package init(preparing path: String) throws(FuseMountError) {
        var attributes = stat()
        if unsafe stat(path, &attributes) != 0, errno == ENOTCONN || errno == ECONNABORTED {
            if let error = FuseUnmount.run(path, lazily: true) { throw error }
        }
        try Self.checkDirectory(path)
        guard let real = unsafe realpath(path, nil) else {
            throw FuseMountError(.failed, "cannot resolve \(path): \(unsafe String(cString: strerror(errno)))")
        }
        defer { unsafe free(real) }
        self.path = unsafe String(cString: real)
        if let type = Self.mountType(at: self.path) {
            let what = type == "fuse.dbxfs" ? "a dbxfs mount" : "a file system (\(type))"
            throw FuseMountError(
                .failed, "\(what) is mounted on \(self.path) already: unmount it, or use another directory")
        }
        try Self.checkEmpty(self.path)
    }

    private static func checkDirectory(_ path: String) throws(FuseMountError) {
        var attributes = stat()
        guard unsafe stat(path, &attributes) == 0 else {
            let code = errno
            if code == ENOENT { throw FuseMountError(.missing, "\(path) does not exist: create it with mkdir") }
            throw FuseMountError(.failed, "cannot look at \(path): \(unsafe String(cString: strerror(code)))")
        }
        guard attributes.st_mode & S_IFMT == S_IFDIR else {
            throw FuseMountError(.notADirectory, "\(path) is not a directory")
        }
    }

    private static func checkEmpty(_ path: String) throws(FuseMountError) {
        guard let stream = unsafe opendir(path) else {
            throw FuseMountError(.failed, "cannot list \(path): \(unsafe String(cString: strerror(errno)))")
        }
        defer { unsafe closedir(stream) }
        while let entry = unsafe readdir(stream) {
            let isDot = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { name in
                let bytes = unsafe name.prefix { $0 != 0 }
                return unsafe bytes.elementsEqual([0x2E]) || bytes.elementsEqual([0x2E, 0x2E])
            }
            guard isDot else {
                throw FuseMountError(
                    .failed, "\(path) is not empty: its files would be hidden; move them away or use another directory")
            }
        }
    }

    /// The type of the file system mounted exactly at `path`; nil when there is none.
    package static func mountType(at path: String) -> String? {
        guard let table = try? OpenFile(path: "/proc/self/mounts", .readOnly),
            let bytes = try? table.read(count: 1 << 20, at: 0)
        else { return nil }
        let wanted = Array(path.utf8)
        var type: String?
        for line in bytes.split(separator: 0x0A) {
            let fields = line.split(separator: 0x20)
            guard fields.count > 2, unescaped(fields[1]) == wanted else { continue }
            type = String(decoding: fields[2], as: UTF8.self)
        }
        return type
    }

    /// The kernel writes spaces, tabs, newlines and backslashes as three octal digits.
    private static func unescaped(_ field: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        var rest = field
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            if byte == 0x5C, digits.count == 3, let code = UInt8(String(decoding: digits, as: UTF8.self), radix: 8) {
                result.append(code)
                rest.removeFirst(3)
            } else {
                result.append(byte)
            }
        }
        return result
    }
}
