import DbxWire

/// Decodes the JSON bodies of requests; what does not fit is a `bad-request` that names the place and the reason.
enum RequestJSON {
    static func decode<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws(Problem) -> Value {
        if bytes.isEmpty { throw Problem(kind: .badRequest, detail: "The request needs a JSON body, but has none.") }
        do {
            return try WireJSON.decode(type, from: bytes)
        } catch let error as DecodingError {
            throw Problem(kind: .badRequest, detail: explain(error))
        } catch {
            throw Problem(kind: .badRequest, detail: "The body is no JSON.")
        }
    }

    private static func explain(_ error: DecodingError) -> String {
        switch error {
        case .keyNotFound(let key, let context):
            "The body lacks '\(place(context.codingPath + [key]))'."
        case .valueNotFound(_, let context):
            "'\(place(context.codingPath))' in the body is null, but needs a value."
        case .typeMismatch(_, let context):
            "'\(place(context.codingPath))' in the body has the wrong type: \(context.debugDescription)"
        case .dataCorrupted(let context) where context.codingPath.isEmpty:
            "The body is no valid JSON."
        case .dataCorrupted(let context):
            "'\(place(context.codingPath))' in the body is wrong: \(context.debugDescription)"
        @unknown default:
            "The body is not what this path takes."
        }
    }

    /// `nodes[3].attributes.mode`.
    private static func place(_ path: [any CodingKey]) -> String {
        var text = ""
        for key in path {
            if let index = key.intValue {
                text += "[\(index)]"
            } else {
                text += text.isEmpty ? key.stringValue : "." + key.stringValue
            }
        }
        return text.isEmpty ? "the top" : text
    }
}
