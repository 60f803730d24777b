import Glibc

/// What a disk's file system has left, from statvfs(3).
package struct DiskSpace: Hashable, Sendable {
    /// Free for ordinary users.
    package var availableBytes: Int64
    package var totalBytes: Int64
}

/// Which file it is, whatever its name.
package struct FileIdentity: Hashable, Sendable {
    fileprivate var device: UInt64
    fileprivate var number: UInt64
}

/// Operations on paths of the local disk.
package enum Paths {
    /// Creates a directory with all its parents, each readable by its owner only; one that exists is left as it is. The
    /// names of those that were made are on the disk when this returns, also where somebody made one before and was
    /// killed on the way to the disk.
    package static func createPrivateDirectory(_ path: String) throws(Errno) {
        let parts = path.split(separator: "/")
        var current = path.hasPrefix("/") ? "" : "."
        var parentOfLast = current.isEmpty ? "/" : current
        for part in parts {
            let parent = current.isEmpty ? "/" : current
            current += "/" + part
            do {
                _ = try systemCall { unsafe mkdir(current, 0o700) }
            } catch {
                guard error == .fileExists || isDirectory(current) else { throw error }
                parentOfLast = parent
                continue
            }
            try syncDirectory(parent)
        }
        guard isDirectory(path) else { throw .notDirectory }
        do { try syncDirectory(parentOfLast) } catch {
            // What others keep there, and may not be listed, is not ours to bring to the disk.
            guard error == .accessDenied else { throw error }
        }
    }

    /// The directory that a path's last name lies in.
    package static func parent(of path: String) -> String {
        let slash = path.lastIndex(of: "/")
        return slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    }

    package static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Of what stands there now; nil where nothing does.
    package static func identity(of path: String) -> FileIdentity? {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        return FileIdentity(device: UInt64(status.st_dev), number: UInt64(status.st_ino))
    }

    package static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    package static func diskSpace(at path: String) throws(Errno) -> DiskSpace {
        var answer = statvfs()
        _ = try systemCall { unsafe statvfs(path, &answer) }
        let unit = Int64(clamping: answer.f_frsize)
        return DiskSpace(
            availableBytes: Int64(clamping: answer.f_bavail).multipliedClamping(by: unit),
            totalBytes: Int64(clamping: answer.f_blocks).multipliedClamping(by: unit))
    }

    package static func remove(_ path: String) throws(Errno) { _ = try systemCall { unsafe unlink(path) } }

    /// Random per boot of the machine; nil where the kernel does not tell.
    package static func bootID() -> [UInt8]? {
        guard let file = try? OpenFile(path: "/proc/sys/kernel/random/boot_id", .readOnly),
            let bytes = try? file.read(count: 64, at: 0), !bytes.isEmpty
        else { return nil }
        return bytes
    }
}

extension Int64 {
    fileprivate func multipliedClamping(by other: Int64) -> Int64 {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? .max : product
    }
}
