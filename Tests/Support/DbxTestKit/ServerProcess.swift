import Foundation
import Glibc

/// A real `dbxfs-server` on a loopback port, started from the binary beside the test bundle. Ends with the object at
/// the latest. Used by one test at a time.
package final class ServerProcess {
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// What a command of the server printed, and its exit code.
    package struct Output: Sendable {
        package let code: Int32
        package let standardOutput: String
        package let standardError: String
    }

    package let dataDirectory: String
    /// `http://127.0.0.1:PORT` or its https form; the same after `restart`.
    package private(set) var url = ""
    package private(set) var port = 0
    /// The lines that followed the first.
    package private(set) var greeting = ""
    private let arguments: [String]
    private let environment: [String: String]
    /// Of the data, where it goes with the server.
    private let directory: TemporaryDirectory?
    private var process: Process?
    private var standardOutput: Pipe?

    /// The directory of the build's products: test bundle and binaries lie side by side.
    package static let productsDirectory: String = {
        let executable =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        return (executable as NSString).deletingLastPathComponent
    }()

    package static var binary: String { productsDirectory + "/dbxfs-server" }

    /// Starts a server and waits until it listens. Without `dataDirectory` it gets a new one that goes with it.
    package static func start(
        dataDirectory: String? = nil, listen: String = "127.0.0.1:0", arguments: [String] = [],
        environment: [String: String] = [:]
    ) throws -> ServerProcess {
        let server = try ServerProcess(dataDirectory: dataDirectory, arguments: arguments, environment: environment)
        try server.launch(listen: listen)
        return server
    }

    private init(dataDirectory: String?, arguments: [String], environment: [String: String]) throws {
        directory = dataDirectory == nil ? TemporaryDirectory() : nil
        self.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        self.arguments = arguments
        self.dataDirectory = dataDirectory ?? directory?.path ?? ""
    }

    deinit {
        kill()
        if directory != nil { try? FileManager.default.removeItem(atPath: logPath) }
    }

    private func launch(listen: String) throws {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: Self.binary)
        process.arguments = ["serve", "--data", dataDirectory, "--listen", listen] + arguments
        process.environment = environment
        process.standardOutput = output
        process.standardError = try logFile()
        process.standardInput = FileHandle.nullDevice
        try process.run()
        self.process = process
        standardOutput = output
        let line = try Self.readLine(output.fileHandleForReading.fileDescriptor, seconds: 30)
        let prefix = "listening on "
        guard let line, line.hasPrefix(prefix), let colon = line.lastIndex(of: ":"),
            let port = Int(line[line.index(after: colon)...])
        else {
            kill()
            throw Failure(description: "the server did not start: \(line ?? "it printed nothing"); \(log)")
        }
        url = String(line.dropFirst(prefix.count))
        self.port = port
        if url.hasPrefix("https") {
            greeting = try Self.readLine(output.fileHandleForReading.fileDescriptor, seconds: 30) ?? ""
        }
    }

    /// What the server has logged since it was first started.
    package var log: String { (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? "" }
    private var logPath: String { dataDirectory + ".log" }

    private func logFile() throws -> FileHandle {
        let descriptor = open(logPath, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Failure(description: "\(logPath): errno \(errno)") }
        return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    /// Reads up to a newline; nil at the end of the stream.
    private static func readLine(_ descriptor: Int32, seconds: Int) throws -> String? {
        let deadline = Date().addingTimeInterval(Double(seconds))
        var line: [UInt8] = []
        while Date() < deadline {
            var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&poller, 1, 100) > 0 else { continue }
            var byte: UInt8 = 0
            guard read(descriptor, &byte, 1) == 1 else { return nil }
            if byte == UInt8(ascii: "\n") { return String(decoding: line, as: UTF8.self) }
            line.append(byte)
        }
        throw Failure(description: "the server printed no line in \(seconds) s")
    }

    package var isRunning: Bool { process?.isRunning ?? false }
    package var processIdentifier: Int32 { process?.processIdentifier ?? 0 }

    /// Asks it to stop (SIGTERM) and waits; its exit code, or minus the signal that ended it.
    @discardableResult
    package func stop() -> Int32 {
        guard let process else { return 0 }
        process.terminate()
        return reap(process)
    }

    /// Ends it at once (SIGKILL), as a crash would.
    package func kill() {
        guard let process else { return }
        Glibc.kill(process.processIdentifier, SIGKILL)
        _ = reap(process)
    }

    private func reap(_ process: Process) -> Int32 {
        process.waitUntilExit()
        self.process = nil
        return process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
    }

    /// Stops it if it still runs, and starts it again on the same data and port.
    package func restart(listen host: String = "127.0.0.1") throws {
        stop()
        try launch(listen: "\(host):\(port)")
    }

    /// Makes an account, as an administrator would while the server runs.
    package func addUser(_ name: String, password: String, quota: String? = nil) throws {
        let options = quota.map { ["--quota", $0] } ?? []
        let output = try run(["user", "add", name, "--password-stdin"] + options, input: password + "\n")
        guard output.code == 0 else { throw Failure(description: "user add: \(output.standardError)") }
    }

    /// Runs a command of the server's binary on this data directory.
    package func run(_ arguments: [String], input: String = "") throws -> Output {
        try Self.run(arguments + ["--data", dataDirectory], input: input)
    }

    /// Runs any command of the server's binary; `environment` is added to the test's own.
    package static func run(
        _ arguments: [String], input: String = "", environment: [String: String] = [:]
    ) throws -> Output {
        let process = Process()
        let (output, errors, standardInput) = (Pipe(), Pipe(), Pipe())
        process.executableURL = URL(fileURLWithPath: binary)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardOutput = output
        process.standardError = errors
        process.standardInput = standardInput
        try process.run()
        try standardInput.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try standardInput.fileHandleForWriting.close()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let problems = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        let code = process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
        return Output(code: code, standardOutput: text, standardError: problems)
    }
}
