internal import CFuse3
internal import Glibc

/// fusermount3, the set-user-id program by which ordinary users mount and unmount.
enum FuseHelper {
    private static let missing = FuseMountError(.noHelper, "fusermount3 is not installed (Debian's package fuse3)")

    /// Mounts and returns the descriptor of the new connection.
    static func mount(_ mountPoint: String, _ options: FuseMountOptions) throws(FuseMountError) -> Int32 {
        var ends: [Int32] = [-1, -1]
        guard unsafe dbxfs_fuse_socket_pair(&ends) == 0 else {
            throw FuseMountError(.failed, "cannot mount on \(mountPoint): \(describe(errno))")
        }
        defer { close(ends[0]) }
        let (status, text) = try run(["-o", options.list, "--", mountPoint], socket: ends[1])
        let device = status == 0 ? dbxfs_fuse_receive_descriptor(ends[0]) : -1
        guard device >= 0 else { throw FuseMountError.explaining(text, mountPoint, options) }
        return device
    }

    static func unmount(_ mountPoint: String, lazily: Bool) throws(FuseMountError) -> (status: Int32, text: String) {
        try run(["-u"] + (lazily ? ["-z"] : []) + ["--", mountPoint], socket: nil)
    }

    private static var path: String? {
        let places = unsafe getenv("PATH").map { unsafe String(cString: $0) } ?? ""
        return (places.split(separator: ":").map(String.init) + ["/usr/bin", "/bin"])
            .lazy.map { "\($0)/fusermount3" }.first { unsafe access($0, X_OK) == 0 }
    }

    /// Runs it and returns its exit status and what it said on standard error. `socket`, which this closes, is where it
    /// sends the descriptor of a mount.
    private static func run(
        _ arguments: [String], socket: Int32?
    ) throws(FuseMountError) -> (status: Int32, text: String) {
        defer { if let socket { close(socket) } }
        guard let path else { throw missing }
        var ends: [Int32] = [-1, -1]
        guard unsafe dbxfs_fuse_pipe(&ends) == 0 else { throw FuseMountError(.failed, describe(errno)) }
        defer { close(ends[0]) }
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe _ = posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], 2)
        if let socket { unsafe posix_spawn_file_actions_adddup2(&actions, socket, 3) }
        var child = pid_t()
        let words = unsafe ([path] + arguments).map { unsafe strdup($0) } + [nil]
        let environment = unsafe [strdup("_FUSE_COMMFD=3"), strdup("PATH=/usr/sbin:/usr/bin:/sbin:/bin"), nil]
        defer { unsafe (words + environment).forEach { word in unsafe free(word) } }
        let result = unsafe posix_spawn(&child, path, &actions, nil, words, environment)
        close(ends[1])
        guard result == 0 else { throw FuseMountError(.failed, "cannot run \(path): \(describe(result))") }
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
        return String(decoding: text, as: UTF8.self)
    }
}
