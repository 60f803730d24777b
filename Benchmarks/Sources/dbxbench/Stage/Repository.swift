import Foundation

/// A git repository of small files in many directories.
enum Repository {
    static func make(at path: String, files: Int) throws {
        try makeDirectory(path)
        var random = Random(seed: 7)
        for number in 0..<files {
            let directory = "\(path)/part\(number / 50)"
            if number % 50 == 0 { try makeDirectory(directory) }
            let lines = (0..<(20 + Int(random.next() % 160))).map { _ in "line \(random.next()) of some text" }
            try File.write(Array(lines.joined(separator: "\n").utf8), to: "\(directory)/file\(number).txt")
        }
        try git(["init", "-q"], in: path)
        try git(["add", "-A"], in: path)
        try git(["commit", "-q", "-m", "all"], in: path)
    }

    static func git(_ words: [String], in directory: String) throws {
        let settings = ["-c", "user.name=bench", "-c", "user.email=bench@example.org", "-c", "gc.auto=0"]
        try Command.run(["git", "-C", directory] + settings + words)
    }
}

/// splitmix64: the same numbers in every run.
struct Random: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }

    /// Bytes that do not compress.
    mutating func bytes(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            for index in stride(from: 0, to: count, by: 8) {
                var value = next()
                for offset in index..<min(count, index + 8) {
                    buffer[offset] = UInt8(truncatingIfNeeded: value)
                    value >>= 8
                }
            }
            initialized = count
        }
    }
}
