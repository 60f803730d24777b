import DbxModel
import DbxWire
import Foundation

/// The part of a request's target behind `?`: each name at most once.
struct Query: Sendable {
    private var values: [String: String] = [:]

    /// Any names.
    init(_ text: Substring) throws(Problem) {
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = String(parts[0]).removingPercentEncoding,
                let value = parts.count == 2 ? String(parts[1]).removingPercentEncoding : ""
            else { throw Problem(kind: .badRequest, detail: "The query is not percent-encoded UTF-8.") }
            guard values.updateValue(value, forKey: name) == nil else {
                throw Problem(kind: .badRequest, detail: "The query parameter '\(name)' is given twice.")
            }
        }
    }

    init(_ text: Substring, allowed: Set<String>) throws(Problem) {
        try self.init(text)
        guard let unknown = values.keys.filter({ !allowed.contains($0) }).min() else { return }
        let known = allowed.isEmpty ? "takes no query" : "knows " + allowed.sorted().joined(separator: ", ")
        throw Problem(kind: .badRequest, detail: "The query parameter '\(unknown)' is unknown; this path \(known).")
    }

    var all: [String: String] { values }

    subscript(_ name: String) -> String? { values[name] }

    /// `true` or `false`; false when it is not given.
    func flag(_ name: String) throws(Problem) -> Bool {
        switch values[name] {
        case nil, "false": return false
        case "true": return true
        default: throw Problem(kind: .badRequest, detail: "'\(name)' must be true or false.")
        }
    }

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
