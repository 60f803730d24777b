/// How programs are called.
package enum ProcessName {
    /// The kernel's name for the program that a thread belongs to, at most 15 bytes of it (proc_pid_comm(5)); nil where the
    /// thread is gone or of another namespace.
    package static func ofThread(_ thread: Int32) -> String? {
        guard thread > 0, let status = text("/proc/\(thread)/status"),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix("Tgid:") }),
            let process = Int32(line.dropFirst(5).drop { $0 == "\t" || $0 == " " })
        else { return nil }
        return text("/proc/\(process)/comm").map { String($0.prefix { $0 != "\n" }) }
    }

    private static func text(_ path: String) -> String? {
        guard let file = try? OpenFile(path: path, .readOnly), let bytes = try? file.read(count: 4_096, at: 0) else {
            return nil
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
