import Foundation

/// All samples of a run, and how they are shown.
struct Report {
    let subjects: [String]
    let isQuick: Bool
    var skipped: [String] = []
    private var order: [String] = []
    private var units: [String: Figure.Unit] = [:]
    /// By figure, then subject.
    private var samples: [String: [String: [Double]]] = [:]

    init(subjects: [String], isQuick: Bool) {
        self.subjects = subjects
        self.isQuick = isQuick
    }

    mutating func add(_ figure: Figure, _ subject: String) {
        if units[figure.name] == nil { order.append(figure.name) }
        units[figure.name] = figure.unit
        samples[figure.name, default: [:]][subject, default: []].append(figure.value)
    }

    /// The best round: what else runs on the machine only slows.
    private func value(_ figure: String, _ subject: String) -> Double? {
        guard let values = samples[figure]?[subject], let unit = units[figure] else { return nil }
        return unit.isRate ? values.max() : values.min()
    }

    private func ratio(_ figure: String, _ subject: String, _ base: String) -> Double? {
        guard let a = value(figure, subject), let b = value(figure, base), b > 0 else { return nil }
        return a / b
    }

    private static let ratios = [("dbxfs", "null"), ("dbxfs", "local"), ("null", "local")]

    private var shownRatios: [(String, String)] {
        Self.ratios.filter { subjects.contains($0.0) && subjects.contains($0.1) }
    }

    func table() -> String {
        let titles = ["", ""] + subjects + shownRatios.map { "\($0.0)/\($0.1)" }
        var rows = [titles]
        for name in order {
            guard let unit = units[name] else { continue }
            rows.append(
                [name, unit.rawValue] + subjects.map { Self.text(value(name, $0)) }
                    + shownRatios.map { Self.text(ratio(name, $0.0, $0.1)) })
        }
        let widths = titles.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        var lines = rows.map { row in
            row.enumerated().map { column, cell in
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                return column < 2 ? cell + padding : padding + cell
            }.joined(separator: "  ")
        }
        lines.append("Rates: more is better, and a ratio of 1 means as fast; for the others less is better.")
        if !skipped.isEmpty { lines.append("Out of time, not run: \(skipped.joined(separator: ", "))") }
        return lines.joined(separator: "\n")
    }

    private static func text(_ value: Double?) -> String {
        guard let value else { return "-" }
        return value >= 100 ? String(format: "%.0f", value) : String(format: value >= 10 ? "%.1f" : "%.2f", value)
    }

    func json() throws -> String {
        let figures: [[String: Any]] = order.map { name in
            var figure: [String: Any] = ["name": name, "unit": units[name]?.rawValue ?? ""]
            figure["best"] = Dictionary(
                uniqueKeysWithValues: subjects.compactMap { s in value(name, s).map { (s, $0) } })
            figure["samples"] = samples[name] ?? [:]
            figure["ratios"] = Dictionary(
                uniqueKeysWithValues: shownRatios.compactMap { pair in
                    ratio(name, pair.0, pair.1).map { ("\(pair.0)/\(pair.1)", $0) }
                })
            return figure
        }
        let all: [String: Any] = [
            "quick": isQuick, "subjects": subjects, "skipped": skipped, "figures": figures,
            "cores": ProcessInfo.processInfo.activeProcessorCount, "kernel": kernel,
        ]
        let data = try JSONSerialization.data(withJSONObject: all, options: [.prettyPrinted, .sortedKeys])
        return String(decoding: data, as: UTF8.self)
    }

    private var kernel: String {
        (try? String(contentsOfFile: "/proc/sys/kernel/osrelease", encoding: .utf8))?
            .trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
    }
}
