import Glibc

/// A batch that never ends, or at which the process dies, is told with the command that replays it.
enum Watch {
    /// More than a batch ever takes.
    private static let longestSeconds: UInt32 = 240
    /// What the handler writes; one thread runs batches.
    private nonisolated(unsafe) static var message: [UInt8] = []

    static func during<Result>(_ command: String, _ body: () -> Result) -> Result {
        message = Array("failed: never ends, or the process died\n    replay: \(command)\n".utf8)
        for number in [SIGALRM, SIGILL, SIGTRAP, SIGSEGV, SIGABRT] {
            signal(number) { _ in
                _ = Watch.message.withUnsafeBytes { write(1, $0.baseAddress, $0.count) }
                _exit(3)
            }
        }
        alarm(longestSeconds)
        defer { alarm(0) }
        return body()
    }
}
