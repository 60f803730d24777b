/// Looks for a shorter plan of a seed that fails in the same way: halves, quarters and so on of its steps are left out as
/// long as it still fails.
struct Shrinker {
    private let seed: UInt64
    private let text: String
    private let planted: Planted?
    private let directory: String

    private static let mostRuns = 120

    init(_ seed: UInt64, _ text: String, _ planted: Planted?, _ directory: String) {
        self.seed = seed
        self.text = text
        self.planted = planted
        self.directory = directory
    }

    /// The steps that may be left out.
    func run() -> [Int] {
        let all = Plan(seed: seed).steps.map(\.index)
        var kept = all
        var chunk = max(1, kept.count / 2)
        var runs = 0
        while chunk >= 1, runs < Self.mostRuns {
            var start = 0
            while start < kept.count, runs < Self.mostRuns {
                var fewer = kept
                fewer.removeSubrange(start..<min(kept.count, start + chunk))
                runs += 1
                if fails(without: Set(all).subtracting(fewer)) { kept = fewer } else { start += chunk }
            }
            chunk /= 2
        }
        return Set(all).subtracting(kept).sorted()
    }

    private func fails(without dropped: Set<Int>) -> Bool {
        let list = dropped.sorted().map(String.init).joined(separator: ",")
        guard
            let worker = try? Worker(
                seeds: seed...seed, ["--seed", "\(seed)", "--drop", list], planted: planted, directory: directory)
        else { return false }
        worker.wait()
        let report = worker.report()
        return report.failed != nil && kind(report.text) == kind(text)
    }

    /// The first words say what kind of failure it is.
    private func kind(_ text: String) -> String {
        text.split(separator: " ").suffix(from: 0).prefix(2).joined(separator: " ")
    }
}
