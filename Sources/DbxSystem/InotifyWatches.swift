import Glibc

/// What programs watch with inotify(7), by what the kernel says of their descriptors (proc_pid_fdinfo(5)).
package enum InotifyWatches {
    /// Inode numbers that are watched on a file system, by all processes that we may look into. `device` is the kernel's
    /// number, with the minor number in the low 20 bits. Reads /proc only: waits for no file system.
    package static func inodes(watchedOn device: UInt64) -> Set<UInt64> {
        var found: Set<UInt64> = []
        for process in (try? Paths.names(in: "/proc")) ?? []
        where process.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            let descriptors = "/proc/\(process)/fd"
            for descriptor in (try? Paths.names(in: descriptors)) ?? [] where isInotify("\(descriptors)/\(descriptor)")
            {
                guard let text = read("/proc/\(process)/fdinfo/\(descriptor)") else { continue }
                found.formUnion(parse(text, device: device))
            }
        }
        return found
    }

    static func parse(_ text: String, device: UInt64) -> [UInt64] {
        text.split(separator: "\n").compactMap { line in
            guard line.hasPrefix("inotify ") else { return nil }
            let fields = line.split(separator: " ")
            guard number(fields, "sdev:") == device else { return nil }
            return number(fields, "ino:")
        }
    }

    private static func number(_ fields: [Substring], _ key: String) -> UInt64? {
        fields.first { $0.hasPrefix(key) }.flatMap { UInt64($0.dropFirst(key.count), radix: 16) }
    }

    private static func isInotify(_ link: String) -> Bool {
        let target: StaticString = "anon_inode:inotify"
        // One byte more than the answer that counts: longer ones differ.
        return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: target.utf8CodeUnitCount + 1) { buffer in
            guard let start = buffer.baseAddress else { return false }
            let count = unsafe readlink(link, start, buffer.count)
            return unsafe count == target.utf8CodeUnitCount && memcmp(start, target.utf8Start, count) == 0
        }
    }

    /// Files of /proc have no size: read until nothing comes.
    private static func read(_ path: String) -> String? {
        guard let file = try? OpenFile(path: path, .readOnly) else { return nil }
        var bytes: [UInt8] = []
        while let part = try? file.read(count: 1 << 16, at: Int64(bytes.count)), !part.isEmpty { bytes += part }
        return String(decoding: bytes, as: UTF8.self)
    }
}
