import Glibc

/// Names, links and whole small files: what stores that keep one file per object need.
extension Paths {
    /// Gives the file `path` a second name, never replacing one: `fileExists` where it is taken (link(2)).
    package static func link(_ path: String, to newPath: String) throws(Errno) {
        _ = try systemCall { unsafe Glibc.link(path, newPath) }
    }

    /// Renames, replacing a file that has the new name (rename(2)).
    package static func rename(_ path: String, to newPath: String) throws(Errno) {
        _ = try systemCall { unsafe Glibc.rename(path, newPath) }
    }

    /// Waits until the entries of a directory are on the disk.
    package static func syncDirectory(_ path: String) throws(Errno) {
        try OpenFile(path: path, [.readOnly, .directory]).sync()
    }

    /// The names in a directory without `.` and `..`, in memcmp order. Names that are no UTF-8 are left out.
    package static func names(in directory: String) throws(Errno) -> [String] {
        guard let stream = unsafe opendir(directory) else { throw .current }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(validating: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let name, name != ".", name != ".." { names.append(name) }
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// The permission bits of a file.
    package static func permissions(of path: String) throws(Errno) -> UInt16 {
        var status = stat()
        _ = try systemCall { unsafe stat(path, &status) }
        return UInt16(status.st_mode & 0o7777)
    }

    /// Copies a file to a new name and waits until its bytes are on the disk; `fileExists` where the name is taken. What a
    /// crash leaves of it, under that name with `.new`, the next one overwrites: nobody takes a part for the whole.
    package static func copy(_ path: String, to newPath: String) throws(Errno) {
        let source = try OpenFile(path: path, .readOnly)
        if exists(newPath) { throw .fileExists }
        let temporary = newPath + ".new"
        let target = try OpenFile(path: temporary, [.readWrite, .create, .truncate])
        defer { try? remove(temporary) }
        var offset: Int64 = 0
        while true {
            let bytes = try source.read(count: 1 << 20, at: offset)
            if bytes.isEmpty { break }
            try target.write(bytes, at: offset)
            offset += Int64(bytes.count)
        }
        try target.sync()
        // Not every file system has links.
        try rename(temporary, to: newPath)
    }

    /// Writes a new file that only its owner may read, with its name durable; `fileExists` where the name is taken.
    package static func createPrivateFile(_ path: String, containing bytes: [UInt8]) throws(Errno) {
        // Written under another name first: nobody ever sees a part of it.
        let temporary = "\(path).\(getpid()).new"
        try? remove(temporary)
        let file = try OpenFile(path: temporary, [.readWrite, .create, .exclusive])
        defer { try? remove(temporary) }
        try file.write(bytes, at: 0)
        try file.sync()
        try link(temporary, to: path)
        try syncDirectory(parent(of: path))
    }

    /// Where a symbolic link points; cut at 4,095 bytes (readlink(2)).
    package static func target(ofLink path: String) throws(Errno) -> String {
        var buffer = [CChar](repeating: 0, count: 4_096)
        let count = try systemCall { unsafe readlink(path, &buffer, buffer.count - 1) }
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
