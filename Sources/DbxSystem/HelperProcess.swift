import Glibc

/// A child of this very program that answers lines with lines, one at a time: for calls that must not be made in this
/// process. It ends when its input does. Used by one thread.
package final class HelperProcess {
    package let id: Int32
    private let input: LineConnection
    private let output: LineConnection

    package init(arguments: [String]) throws(Errno) {
        let requests = try ChildProcess.pipe()
        let answers = try ChildProcess.pipe()
        id = try ChildProcess.startHelper(arguments: arguments, input: requests.reading, output: answers.writing)
        input = LineConnection(requests.writing)
        output = LineConnection(answers.reading)
    }

    /// `.timedOut` where no answer came in time; the process is of no use then.
    package func ask(_ line: [UInt8], timeout: Duration) throws(Errno) -> [UInt8] {
        try input.writeLine(line)
        guard let answer = try output.readLine(timeout: timeout) else { throw .brokenPipe }
        return answer
    }

    package func kill() { _ = Glibc.kill(id, SIGKILL) }

    /// Whether the process has ended. Its number is nobody else's before `reap`.
    package func hasEnded() -> Bool {
        var information = unsafe siginfo_t()
        let code = unsafe waitid(P_PID, id_t(id), &information, WEXITED | WNOHANG | WNOWAIT)
        let ended = unsafe information._sifields._sigchld.si_pid
        return code != 0 || ended != 0
    }

    /// Gives the number of a process that has ended back to the system.
    package func reap() {
        var status: Int32 = 0
        _ = unsafe waitpid(id, &status, WNOHANG)
    }
}
