import Foundation
import Glibc

/// Runs programs to their end, with a limit: a mount that hangs fails its test instead of stopping it.
package enum Shell {
    package struct Output: Sendable {
        package let code: Int32
        /// Both outputs, in the order of writing.
        package let text: String
    }

    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// Runs a program found in PATH. Code 124 stands for the time limit.
    package static func run(
        _ arguments: [String], in directory: String = "/", environment: [String: String] = [:], input: String = "",
        limitSeconds: Int = 120
    ) throws -> Output {
        let process = Process()
        let (output, standardInput) = (Pipe(), Pipe())
        process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
        process.arguments = ["-k", "5", "\(limitSeconds)"] + arguments
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = standardInput
        process.standardOutput = output
        process.standardError = output
        // Threads of the test's runtime block signals, and programs would inherit that.
        var none = sigset_t()
        var before = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try process.run()
        // A program that has ended without reading leaves a broken pipe; it is no failure of the test.
        signal(SIGPIPE, SIG_IGN)
        try? standardInput.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try? standardInput.fileHandleForWriting.close()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        let code = process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
        return Output(code: code, text: text)
    }

    /// Runs a bash script that ends at its first failing command, and returns what it printed without the last newline.
    @discardableResult
    package static func script(
        _ text: String, in directory: String = "/", environment: [String: String] = [:], limitSeconds: Int = 120
    ) throws -> String {
        let output = try run(
            ["bash", "-euo", "pipefail", "-c", text], in: directory, environment: environment,
            limitSeconds: limitSeconds)
        guard output.code == 0 else {
            throw Failure(description: "exit code \(output.code) of:\n\(text)\n\(output.text)")
        }
        return output.text.hasSuffix("\n") ? String(output.text.dropLast()) : output.text
    }

    /// Asks until the answer is yes; throws when it never is. Nothing is asserted about how long it takes below that.
    package static func eventually(
        _ what: String, withinSeconds limit: Double = 30, _ condition: () throws -> Bool
    ) throws {
        let deadline = Date().addingTimeInterval(limit)
        while try !condition() {
            guard Date() < deadline else { throw Failure(description: "not within \(limit) s: \(what)") }
            usleep(20_000)
        }
    }
}
