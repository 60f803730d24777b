import Foundation

/// Checks JSON values against the part of JSON Schema 2020-12 that our OpenAPI document uses. A keyword that it does
/// not know is a mismatch, so that the document cannot promise what nobody checks.
package struct JSONSchema {
    /// The whole document, for `$ref`.
    private let document: [String: Any]

    package init(document: [String: Any]) { self.document = document }

    /// What does not fit, each with its place; empty when all does.
    package func mismatches(_ value: Any, _ schema: [String: Any], at place: String = "$") -> [String] {
        schema.flatMap { keyword, rule in check(keyword, rule, value, schema, place) }
    }

    private func check(_ keyword: String, _ rule: Any, _ value: Any, _ schema: [String: Any], _ place: String)
        -> [String]
    {
        switch (keyword, rule) {
        case ("$ref", let path as String):
            guard let target = resolve(path) else { return ["\(place): nothing at \(path)"] }
            return mismatches(value, target, at: place)
        case ("type", let name as String): return isOfType(value, name) ? [] : ["\(place): no \(name): \(value)"]
        case ("const", _): return "\(rule)" == "\(value)" ? [] : ["\(place): not \(rule)"]
        case ("enum", let allowed as [String]):
            return (value as? String).map(allowed.contains) == true ? [] : ["\(place): \(value) is none of \(allowed)"]
        case ("pattern", let pattern as String):
            guard let text = value as? String else { return [] }
            return text.range(of: pattern, options: .regularExpression) == nil
                ? ["\(place): \(text) is not \(pattern)"] : []
        case ("contentEncoding", _):
            return Data(base64Encoded: value as? String ?? "?") == nil ? ["\(place): no base64"] : []
        case ("minimum", let bound as NSNumber):
            return (value as? NSNumber).map { $0.int64Value >= bound.int64Value } == false
                ? ["\(place): < \(bound)"] : []
        case ("maximum", let bound as NSNumber):
            return (value as? NSNumber).map { $0.int64Value <= bound.int64Value } == false
                ? ["\(place): > \(bound)"] : []
        case ("required", let names as [String]):
            guard let object = value as? [String: Any] else { return [] }
            return names.filter { object[$0] == nil }.map { "\(place): '\($0)' is missing" }
        case ("properties", let properties as [String: [String: Any]]):
            guard let object = value as? [String: Any] else { return [] }
            return properties.flatMap { name, schema in
                object[name].map { mismatches($0, schema, at: "\(place).\(name)") } ?? []
            }
        case ("additionalProperties", let schema as [String: Any]):
            guard let object = value as? [String: Any] else { return [] }
            return object.flatMap { mismatches($0.value, schema, at: "\(place).\($0.key)") }
        case ("items", let schema as [String: Any]):
            return (value as? [Any] ?? []).enumerated().flatMap { mismatches($1, schema, at: "\(place)[\($0)]") }
        case ("maxItems", let bound as Int):
            return (value as? [Any] ?? []).count > bound ? ["\(place): more than \(bound)"] : []
        case ("allOf", let schemas as [[String: Any]]): return schemas.flatMap { mismatches(value, $0, at: place) }
        case ("description", _), ("format", _): return []
        default: return ["\(place): the checker does not know '\(keyword)'"]
        }
    }

    private func isOfType(_ value: Any, _ name: String) -> Bool {
        let number = value as? NSNumber
        let isBoolean = number.map { String(cString: $0.objCType) == "c" } ?? false
        return switch name {
        case "object": value is [String: Any]
        case "array": value is [Any]
        case "string": value is String
        case "boolean": isBoolean
        case "integer": number != nil && !isBoolean && number?.doubleValue.rounded() == number?.doubleValue
        default: false
        }
    }

    /// The object at `#/a/b/c`.
    package func resolve(_ path: String) -> [String: Any]? {
        var here: [String: Any]? = document
        for part in path.split(separator: "/").dropFirst() { here = here?[String(part)] as? [String: Any] }
        return here
    }
}
