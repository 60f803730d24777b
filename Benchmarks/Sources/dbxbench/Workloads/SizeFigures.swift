import Foundation

/// Files of several sizes up to a server and, unknown before, down from it: rates from the first write, and to the last byte
/// read; bytes on the wire; and the processor time of all that the program runs, server included.
struct SizeFigures {
    private let pair: any WirePair
    private let effort: Effort

    /// Ends the pair.
    static func run(_ pair: any WirePair, _ effort: Effort) throws -> [Figure] {
        defer { pair.end() }
        return try SizeFigures(pair: pair, effort: effort).figures()
    }

    private func figures() throws -> [Figure] {
        // Connections are open, and no directory is empty.
        try File.write([1], to: pair.here + "/first")
        try pair.send()
        try pair.receive("first")
        let times = effort.rounds == 1 ? 1 : 3
        return try [
            measure("4 KiB", bytes: 4 << 10, count: 1000 * times), measure("64 KiB", bytes: 64 << 10, count: 400 * times),
            measure("1 MiB", bytes: 1 << 20, count: 64 * times), measure("large", bytes: effort.fileBytes, count: 1),
        ].flatMap(\.self)
    }

    private func measure(_ name: String, bytes: Int, count: Int) throws -> [Figure] {
        let directory = "size\(bytes)"
        var random = Random(seed: UInt64(bytes))
        let total = Double(bytes * count)
        DbxFigures.touchMemory(bytes: 6 * bytes * count)
        let (sent, before) = (pair.passed[0], try pair.processorTime)
        let up = try time {
            try makeDirectory("\(pair.here)/\(directory)")
            for index in 0..<count { try File.write(random.bytes(bytes), to: "\(pair.here)/\(directory)/\(index)") }
            try pair.send()
        }
        let (passed, between) = (pair.passed[0] - sent, try pair.processorTime)
        DbxFigures.touchMemory(bytes: 6 * bytes * count)
        let down = try time { try pair.receive(directory: directory, files: count) }
        let after = try pair.processorTime
        func rate(_ seconds: Double, _ way: String) -> Figure {
            count == 1
                ? Figure(name: "\(name) file, \(way)", unit: .megabytes, value: total / 1e6 / seconds)
                : Figure(name: "\(name) files, \(way)", unit: .operations, value: Double(count) / seconds)
        }
        return [
            rate(up, "up"), rate(down, "down"),
            Figure(name: "… bytes up for each", unit: .ratio, value: Double(passed) / total),
            Figure(name: "… processor time up", unit: .secondsPerGigabyte, value: (between - before) / total * 1e9),
            Figure(name: "… processor time down", unit: .secondsPerGigabyte, value: (after - between) / total * 1e9),
        ].map { figure in
            Figure(name: figure.name.replacing("…", with: "\(name):"), unit: figure.unit, value: figure.value)
        }
    }
}
