import DbxWire

/// Finds the operation that a method and a path ask for.
///
/// Paths are compared as raw text: no route has anything that would need percent-encoding, so an encoded path is an
/// unknown one.
struct RouteTable: Sendable {
    enum Match {
        case operation(Operation, parameters: [String: String])
        /// The path exists, the method does not; these do.
        case otherMethods([String])
        case unknown
    }

    private struct Entry {
        let segments: [Substring]
        let operations: [Operation]
    }

    private let entries: [Entry]

    init() {
        entries = Route.allCases.map { route in
            Entry(
                segments: route.rawValue.split(separator: "/"),
                operations: Operation.allCases.filter { $0.route == route })
        }
    }

    func match(method: String, path: Substring) -> Match {
        guard path.utf8.first == UInt8(ascii: "/") else { return .unknown }
        let segments = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        for entry in entries {
            guard let parameters = Self.parameters(of: segments, in: entry.segments) else { continue }
            for operation in entry.operations
            where operation.method == method || (method == "HEAD" && operation.allowsHead) {
                return .operation(operation, parameters: parameters)
            }
            return .otherMethods(entry.operations.flatMap { $0.allowsHead ? [$0.method, "HEAD"] : [$0.method] })
        }
        return .unknown
    }

    /// Nil when the path is another one. No two routes match one path.
    private static func parameters(of path: [Substring], in template: [Substring]) -> [String: String]? {
        guard path.count == template.count else { return nil }
        var parameters: [String: String] = [:]
        for (actual, expected) in zip(path, template) {
            if expected.utf8.first == UInt8(ascii: "{") {
                if actual.isEmpty { return nil }
                parameters[String(expected.dropFirst().dropLast())] = String(actual)
            } else if actual != expected {
                return nil
            }
        }
        return parameters
    }
}
