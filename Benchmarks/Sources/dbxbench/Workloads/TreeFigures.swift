import Foundation

/// A tree of many entries, met by a device that knows nothing of it, beside one of a hundredth of that.
struct TreeFigures {
    private static let folderEntries = 1_000
    private static let patience: Double = 3_600

    private let pair: DbxPair
    private let entries: Int
    private var folders: Int { max(1, entries / Self.folderEntries) }

    static func run(_ pair: DbxPair, _ effort: Effort) throws -> [Figure] {
        // What is there already counts with both.
        let small = try TreeFigures(pair: pair, entries: max(1, effort.entries / 100)).all()
        return try small + TreeFigures(pair: pair, entries: effort.entries).all()
    }

    private var here: String { "\(pair.first.mountPoint)/tree\(entries)" }

    private func all() throws -> [Figure] {
        let made = try make()
        let device = pair.device("tree\(entries)")
        try device.logIn(pair.url)
        defer { device.unmount() }
        let there = "\(device.mountPoint)/tree\(entries)"
        let begin = ContinuousClock.now
        try device.mount()
        try Command.run(["ls", "-l", "\(there)/\(folders / 2)"], seconds: Self.patience)
        let first = (ContinuousClock.now - begin).seconds
        while try !device.status().tree.isComplete { usleep(100_000) }
        let known = (ContinuousClock.now - begin).seconds
        let memory = try residentBytes(device)
        device.unmount()
        let again = try time {
            try device.mount()
            try Command.run(["ls", "-l", "\(there)/\(folders / 2)"])
        }
        let caughtUp = try catchUp(device)
        return [
            figure("made and on the server", .operations, made),
            figure("mount and ls -l of a folder, new device", .milliseconds, first * 1000),
            figure("all known", .operations, Double(entries) / known),
            figure("memory when all is known", .bytes, memory),
            figure("mount and ls -l, all known", .milliseconds, again * 1000),
            figure("renames made meanwhile seen after a mount", .operations, caughtUp),
        ]
    }

    private func figure(_ name: String, _ unit: Figure.Unit, _ value: Double) -> Figure {
        Figure(name: "\(entries) entries: \(name)", unit: unit, value: value)
    }

    /// A second.
    private func make() throws -> Double {
        let perFolder = min(entries, Self.folderEntries)
        let seconds = try time {
            try makeDirectory(here)
            for folder in 0..<folders {
                try makeDirectory("\(here)/\(folder)")
                for index in 0..<perFolder { try File.write([], to: "\(here)/\(folder)/entry\(index)") }
            }
            try pair.first.synchronize(seconds: Self.patience)
        }
        return Double(folders * perFolder) / seconds
    }

    private func residentBytes(_ device: DbxDevice) throws -> Double {
        let words = try String(contentsOfFile: "/proc/\(device.status().processID)/statm", encoding: .utf8)
            .split(separator: " ")
        guard words.count > 1, let pages = Double(words[1]) else { throw Failure("/proc/PID/statm: \(words)") }
        return pages * Double(sysconf(Int32(_SC_PAGESIZE)))
    }

    /// A hundredth of the entries is renamed while the device is away.
    private func catchUp(_ device: DbxDevice) throws -> Double {
        device.unmount()
        let count = max(1, min(Self.folderEntries, entries) / 100)
        for folder in 0..<folders {
            for index in 0..<count {
                let place = "\(here)/\(folder)"
                try File.check(rename("\(place)/entry\(index)", "\(place)/moved\(index)"), "rename", place)
            }
        }
        try pair.first.synchronize(seconds: Self.patience)
        let last = "\(device.mountPoint)/tree\(entries)/\(folders - 1)/moved\(count - 1)"
        let seconds = try time {
            try device.mount()
            try DbxFigures.waitUntil(seconds: Self.patience, "\(last) has arrived") { DbxFigures.size(of: last) == 0 }
        }
        return Double(folders * count) / seconds
    }
}
