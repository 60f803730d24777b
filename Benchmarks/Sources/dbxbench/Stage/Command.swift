import Foundation

/// Runs other programs.
///
/// With posix_spawn: Foundation's `Process` takes a program for running as long as a daemon that it left behind holds
/// a descriptor that it did not close.
enum Command {
    /// What a program printed; an error with its words when it fails or takes longer than `seconds`.
    @discardableResult
    static func run(
        _ words: [String], input: String = "", environment: [String: String] = [:], seconds: Double = 60
    ) throws -> String {
        let (source, output, errors) = (try Scratch(input), try Scratch(), try Scratch())
        let child = try spawn(
            words, environment, [source.descriptor, output.descriptor, errors.descriptor])
        guard let status = child.wait(seconds: seconds) else {
            child.kill(SIGKILL)
            throw Failure(
                "\(words.joined(separator: " ")): not done after \(Int(seconds)) s: \(errors.text.suffix(2000))")
        }
        guard status == 0 else {
            throw Failure("\(words.joined(separator: " ")): status \(status): \(errors.text.suffix(2000))")
        }
        return output.text
    }

    /// Starts a program that goes on, and returns it with a file of what it prints.
    static func start(_ words: [String]) throws -> (child: Child, output: Scratch) {
        let (source, output) = (try Scratch(), try Scratch())
        return (try spawn(words, [:], [source.descriptor, output.descriptor, 2]), output)
    }

    private static func spawn(
        _ words: [String], _ environment: [String: String], _ descriptors: [Int32]
    ) throws -> Child {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (target, descriptor) in descriptors.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(target))
        }
        let merged = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let arguments = words.map { strdup($0) } + [nil]
        let variables = merged.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { (arguments + variables).forEach { free($0) } }
        var number = pid_t()
        let result = posix_spawnp(&number, words[0], &actions, nil, arguments, variables)
        guard result == 0 else { throw Failure("\(words[0]): \(String(cString: strerror(result)))") }
        return Child(number: number)
    }
}

/// A program that runs.
struct Child {
    let number: pid_t

    /// Its exit status, 128 and more for signals; nil when it still runs after `seconds`.
    func wait(seconds: Double) -> Int32? {
        let deadline = ContinuousClock.now + .seconds(seconds)
        var status: Int32 = 0
        while waitpid(number, &status, WNOHANG) == 0 {
            if ContinuousClock.now > deadline { return nil }
            usleep(500)
        }
        return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
    }

    func kill(_ signal: Int32) { Glibc.kill(number, signal) }

    /// Asks it to end, then makes it.
    func end() {
        kill(SIGTERM)
        if wait(seconds: 10) != nil { return }
        kill(SIGKILL)
        _ = wait(seconds: 5)
    }
}

/// A file without a name that holds a program's input or output.
final class Scratch {
    let descriptor: Int32

    init(_ content: String = "") throws {
        var template = Array("/tmp/dbxbench-XXXXXX".utf8CString)
        descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw File.error("mkstemp", "/tmp") }
        unlink(template)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        let bytes = Array(content.utf8)
        guard bytes.isEmpty || pwrite(descriptor, bytes, bytes.count, 0) == bytes.count else {
            throw File.error("write", "/tmp")
        }
    }

    deinit { close(descriptor) }

    var text: String {
        var bytes = [UInt8](repeating: 0, count: Int(max(0, lseek(descriptor, 0, SEEK_END))))
        let count = pread(descriptor, &bytes, bytes.count, 0)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}
