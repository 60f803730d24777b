import Crypto
import Foundation

/// Signs short texts of the server's own with HMAC-SHA256. Without a key nothing verifies.
struct Signer: Sendable {
    private let key: SymmetricKey?

    init(key: SymmetricKey?) { self.key = key }

    /// Nil without a key.
    func signature(of bytes: [UInt8]) -> [UInt8]? {
        key.map { Array(HMAC<SHA256>.authenticationCode(for: bytes, using: $0)) }
    }

    /// Compares in constant time.
    func verifies(_ signature: [UInt8], of bytes: [UInt8]) -> Bool {
        guard let key else { return false }
        return HMAC<SHA256>.isValidAuthenticationCode(signature, authenticating: bytes, using: key)
    }
}

/// Base64 for URLs (RFC 4648 §5) without padding.
enum Base64URL {
    static func encode(_ bytes: [UInt8]) -> String {
        Data(bytes).base64EncodedString(options: [.base64URLAlphabet, .omitPaddingCharacter])
    }

    /// Only the one form that `encode` gives.
    static func decode(_ text: String) -> [UInt8]? {
        let standard = text.replacing("-", with: "+").replacing("_", with: "/")
        let padded = standard + String(repeating: "=", count: (4 - standard.utf8.count % 4) % 4)
        guard let data = Data(base64Encoded: padded), encode(Array(data)) == text else { return nil }
        return Array(data)
    }
}
