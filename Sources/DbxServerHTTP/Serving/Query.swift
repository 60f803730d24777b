import DbxModel
import DbxWire
import Foundation

/// The part of a request's target behind `?`: each name at most once, only names that the operation knows.
struct Query: Sendable {
    private var values: [String: String] = [:]

    init(_ text: Substring, allowed: Set<String>) throws(Problem) {
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = String(parts[0]).removingPercentEncoding,
                let value = parts.count == 2 ? String(parts[1]).removingPercentEncoding : ""
            else { throw Problem(kind: .badRequest, detail: "The query is not percent-encoded UTF-8.") }
            guard allowed.contains(name) else {
                let known = allowed.isEmpty ? "takes no query" : "knows " + allowed.sorted().joined(separator: ", ")
                throw Problem(kind: .badRequest, detail: "The query parameter '\(name)' is unknown; this path \(known).")
            }
            guard values.updateValue(value, forKey: name) == nil else {
                throw Problem(kind: .badRequest, detail: "The query parameter '\(name)' is given twice.")
            }
        }
    }

    subscript(_ name: String) -> String? { values[name] }

    /// A whole number in `range`; nil when it is not given.
    func number(_ name: String, in range: ClosedRange<Int>) throws(Problem) -> Int? {
        guard let text = values[name] else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw Problem(
                kind: .badRequest,
                detail: "'\(name)' must be a whole number from \(range.lowerBound) to \(range.upperBound).")
        }
        return number
    }
}
