internal import CFuse3
internal import Glibc

/// fusermount3, the set-user-id program by which ordinary users mount and unmount.
enum FuseHelper {
    static var path: String? {
        let places = unsafe getenv("PATH").map { unsafe String(cString: $0) } ?? "/usr/bin:/bin"
        return places.split(separator: ":").lazy.map { "\($0)/fusermount3" }.first { unsafe access($0, X_OK) == 0 }
    }

    /// Runs it and returns its exit status and what it said on standard error; nil when it is not there.
    static func run(_ arguments: [String]) -> (status: Int32, text: String)? {
        guard let path else { return nil }
        var ends: [Int32] = [0, 0]
        guard unsafe dbxfs_fuse_pipe(&ends) == 0 else { return nil }
        defer { close(ends[0]) }
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe _ = posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], 2)
        var child = pid_t()
        let words = unsafe ([path] + arguments).map { unsafe strdup($0) } + [nil]
        defer { for unsafeword in unsafe words { unsafe free(word) } }
        let result = unsafe posix_spawn(&child, path, &actions, nil, words, environ)
        close(ends[1])
        guard result == 0 else { return nil }
        let text = readAll(ends[0])
        var status: Int32 = 0
        while unsafe waitpid(child, &status, 0) < 0 && errno == EINTR {}
        return (status, text)
    }

    /// At most 4 KiB are kept.
    private static func readAll(_ descriptor: Int32) -> String {
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1024)
        while true {
            let count = unsafe read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            if text.count < 4096 { text += chunk[..<count] }
        }
        return String(decoding: text, as: UTF8.self).split(separator: "\n").joined(separator: "; ")
    }
}
