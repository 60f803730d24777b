import Crypto
import CryptoExtras
import DbxModel
import Foundation

/// How much work a password check is: scrypt (RFC 7914) with N = 2^logRounds, r and p.
package struct PasswordCost: Hashable, Sendable {
    package var logRounds: Int
    package var blockSize: Int
    package var parallelism: Int

    /// 32 MiB of memory for each check.
    package static let standard = PasswordCost(logRounds: 15, blockSize: 8, parallelism: 1)
    /// For tests that log in often.
    package static let cheap = PasswordCost(logRounds: 4, blockSize: 8, parallelism: 1)
}

/// What checks a password: `scrypt$logN$r$p$salt$hash`, salt and hash in base64url. A stronger cost later leaves old
/// ones valid.
struct PasswordHash: Sendable {
    private let cost: PasswordCost
    private let salt: [UInt8]
    private let hash: [UInt8]

    init(password: String, cost: PasswordCost, entropy: any Entropy) throws {
        self.cost = cost
        salt = entropy.bytes(16)
        hash = try Self.derive(password, salt, cost)
    }

    /// Nil where `text` has another form or asks for absurd work.
    init?(text: String) {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 6, parts[0] == "scrypt", let logRounds = Int(parts[1]), let blockSize = Int(parts[2]),
            let parallelism = Int(parts[3]), (1...20).contains(logRounds), (1...32).contains(blockSize),
            (1...16).contains(parallelism), let salt = Base64URL.decode(parts[4]),
            let hash = Base64URL.decode(parts[5]), hash.count == 32
        else { return nil }
        cost = PasswordCost(logRounds: logRounds, blockSize: blockSize, parallelism: parallelism)
        self.salt = salt
        self.hash = hash
    }

    var text: String {
        let numbers = "\(cost.logRounds)$\(cost.blockSize)$\(cost.parallelism)"
        return "scrypt$\(numbers)$\(Base64URL.encode(salt))$\(Base64URL.encode(hash))"
    }

    /// Compares in constant time.
    func matches(_ password: String) throws -> Bool {
        let derived = try Self.derive(password, salt, cost)
        return zip(derived, hash).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }

    private static func derive(_ password: String, _ salt: [UInt8], _ cost: PasswordCost) throws -> [UInt8] {
        let key = try KDF.Scrypt.deriveKey(
            from: Array(password.utf8), salt: salt, outputByteCount: 32, rounds: 1 << cost.logRounds,
            blockSize: cost.blockSize, parallelism: cost.parallelism)
        return unsafe key.withUnsafeBytes { unsafe Array($0) }
    }
}
