import Crypto
import DbxModel

/// What a person compares to know a server: the SHA-256 of its certificate in DER form, as `SHA256:AA:BB:…`.
package struct Fingerprint: Hashable, Sendable, CustomStringConvertible {
    package let digest: [UInt8]

    package init(ofCertificateDER bytes: some Sequence<UInt8>) { digest = Array(SHA256.hash(data: Array(bytes))) }

    package var description: String {
        "SHA256:" + digest.map { [$0].hex.uppercased() }.joined(separator: ":")
    }
}
