import DbxModel
import Foundation

/// Bytes in JSON: text under one key when they are valid UTF-8, else base64 under a second key (DESIGN §3, Bytes).
extension KeyedEncodingContainer {
    mutating func encode(_ bytes: [UInt8], asText text: Key, orBase64 base64: Key) throws {
        if let string = String(validating: bytes, as: UTF8.self) {
            try encode(string, forKey: text)
        } else {
            try encode(Data(bytes).base64EncodedString(), forKey: base64)
        }
    }
}

extension KeyedDecodingContainer {
    func decodeBytes(asText text: Key, orBase64 base64: Key) throws -> [UInt8] {
        if let string = try decodeIfPresent(String.self, forKey: text) { return Array(string.utf8) }
        return Array(try decode(Base64.self, forKey: base64).bytes)
    }

    func decodeName(asText text: Key, orBase64 base64: Key) throws -> Name {
        guard let name = Name(try decodeBytes(asText: text, orBase64: base64)) else {
            throw DecodingError.dataCorruptedError(
                forKey: text, in: self,
                debugDescription: "a name is 1 to 255 bytes without '/' and NUL, and neither '.' nor '..'")
        }
        return name
    }
}

/// Bytes that are never text: base64 in JSON.
package struct Base64: Hashable, Sendable, Codable {
    package var bytes: [UInt8]

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let data = Data(base64Encoded: text) else {
            throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "not base64"))
        }
        bytes = [UInt8](data)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(Data(bytes).base64EncodedString())
    }
}

/// One JSON coder configuration for the whole protocol: sorted keys are not needed, slashes stay readable.
package enum WireJSON {
    package static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes]
        return [UInt8](try encoder.encode(value))
    }

    package static func decode<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws -> Value {
        try JSONDecoder().decode(type, from: Data(bytes))
    }
}
