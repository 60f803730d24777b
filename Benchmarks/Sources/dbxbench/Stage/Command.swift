import Foundation

/// Runs other programs.
enum Command {
    /// What a program printed; an error with its words when it fails or takes longer than `seconds`.
    @discardableResult
    static func run(
        _ words: [String], input: String? = nil, environment: [String: String] = [:], in directory: String? = nil,
        seconds: Double = 60
    ) throws -> String {
        let process = make(words, environment, directory)
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        let source = Pipe()
        process.standardInput = source
        try process.run()
        if let input { source.fileHandleForWriting.write(Data(input.utf8)) }
        try source.fileHandleForWriting.close()
        let watchdog = DispatchWorkItem { process.terminate() }
        DispatchQueue.global().asyncAfter(deadline: .now() + seconds, execute: watchdog)
        let text = output.fileHandleForReading.readDataToEndOfFile()
        let said = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        watchdog.cancel()
        guard process.terminationStatus == 0 else {
            let reason = String(decoding: said.suffix(2000), as: UTF8.self)
            throw Failure("\(words.joined(separator: " ")): status \(process.terminationStatus): \(reason)")
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Starts a program that goes on; its standard output is `output`.
    static func start(_ words: [String], environment: [String: String] = [:], output: Pipe? = nil) throws -> Process {
        let process = make(words, environment, nil)
        if let output { process.standardOutput = output }
        try process.run()
        return process
    }

    private static func make(_ words: [String], _ environment: [String: String], _ directory: String?) -> Process {
        let process = Process()
        if words[0].contains("/") {
            process.executableURL = URL(fileURLWithPath: words[0])
            process.arguments = Array(words.dropFirst())
        } else {
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = words
        }
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
        return process
    }
}
