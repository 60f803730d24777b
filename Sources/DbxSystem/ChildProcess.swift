import CDbxShims
import Glibc

/// Programs started by posix_spawn(3): the runtime has threads, so nothing of ours forks.
package enum ChildProcess {
    /// Runs a program to its end and returns its exit code (128 + the signal that killed it) and what it wrote to both
    /// outputs. `program` is looked up in PATH.
    package static func run(_ program: String, _ arguments: [String]) throws(Errno) -> (code: Int32, output: String) {
        let (child, reading) = try start(program, arguments)
        var output: [UInt8] = []
        let lines = LineConnection(reading)
        while let line = try lines.readLine(timeout: nil) { output += line + [0x0A] }
        return (try wait(for: child), String(decoding: output, as: UTF8.self))
    }

    /// Our copy of the writing end is closed on return, so that reading ends when the child does.
    private static func start(_ program: String, _ arguments: [String]) throws(Errno) -> (Int32, OpenFile) {
        let (reading, writing) = try pipe()
        return (try spawn(program, arguments, output: writing, extra: nil, newSession: false), reading)
    }

    /// Starts this program again in a session of its own, without a terminal and without descriptors that whoever started
    /// us has left open (a pipe kept open by a daemon would never end). `extra` becomes descriptor 3 there.
    package static func startDetached(
        arguments: [String], output: OpenFile, extra: OpenFile
    ) throws(Errno) -> Int32 {
        _ = dbxfs_close_on_exec_from(UInt32(extraDescriptor))
        return try spawn(ownProgram, arguments, output: output, extra: extra, newSession: true)
    }

    /// Starts this program again with its standard streams on the given files.
    static func startHelper(arguments: [String], input: OpenFile, output: OpenFile) throws(Errno) -> Int32 {
        // Not all libraries open their sockets so that they close on exec.
        _ = dbxfs_close_on_exec_from(UInt32(extraDescriptor))
        return try spawn(ownProgram, arguments, input: input, output: output, extra: nil, newSession: false)
    }

    /// By its real path where it still stands, so that process lists show its name.
    private static var ownProgram: String {
        let path = (try? Paths.target(ofLink: "/proc/self/exe")) ?? ""
        return Paths.exists(path) ? path : "/proc/self/exe"
    }

    package static let extraDescriptor: Int32 = 3

    /// A pipe: what is written to the second comes out of the first. Both close on exec.
    package static func pipe() throws(Errno) -> (reading: OpenFile, writing: OpenFile) {
        var ends: [Int32] = [0, 0]
        let code = unsafe dbxfs_pipe(&ends, O_CLOEXEC)
        guard code == 0 else { throw Errno(rawValue: -code) }
        return (OpenFile(takingOwnershipOf: ends[0]), OpenFile(takingOwnershipOf: ends[1]))
    }

    package static func wait(for child: Int32) throws(Errno) -> Int32 {
        var status: Int32 = 0
        _ = try systemCall { unsafe waitpid(child, &status, 0) }
        let signal = status & 0x7F
        return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
    }

    private static func spawn(
        _ program: String, _ arguments: [String], input: OpenFile? = nil, output: OpenFile, extra: OpenFile?,
        newSession: Bool
    ) throws(Errno) -> Int32 {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }

        if let input {
            unsafe posix_spawn_file_actions_adddup2(&actions, input.descriptor, STDIN_FILENO)
        } else {
            unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        }
        unsafe posix_spawn_file_actions_adddup2(&actions, output.descriptor, STDOUT_FILENO)
        unsafe posix_spawn_file_actions_adddup2(&actions, output.descriptor, STDERR_FILENO)
        if let extra {
            unsafe posix_spawn_file_actions_adddup2(&actions, extra.descriptor, extraDescriptor)
        }
        // Ignored signals (SIGPIPE) and masks of our threads are not for the child.
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe posix_spawnattr_setsigmask(&attributes, &signals)
        unsafe sigaddset(&signals, SIGPIPE)
        unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
        let setSession: Int32 = newSession ? 0x80 : 0  // POSIX_SPAWN_SETSID needs _GNU_SOURCE
        unsafe posix_spawnattr_setflags(
            &attributes, Int16(setSession | Int32(POSIX_SPAWN_SETSIGMASK) | Int32(POSIX_SPAWN_SETSIGDEF)))

        // The copies live until the call has returned; the list ends with a nil, as execve(2) demands.
        var vector: [UnsafeMutablePointer<CChar>?] = unsafe ([program] + arguments).map { unsafe strdup($0) }
        unsafe vector.append(nil)
        defer { unsafe vector.forEach { unsafe free($0) } }
        var child = pid_t()
        let code = unsafe posix_spawnp(&child, program, &actions, &attributes, vector, environ)
        guard code == 0 else { throw Errno(rawValue: code) }
        return child
    }
}
