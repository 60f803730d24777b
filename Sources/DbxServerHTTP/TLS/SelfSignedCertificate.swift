import Crypto
import Foundation
import Glibc
import SwiftASN1
import X509

/// Makes the certificate of a server that was given none: P-256, ten years, for the names and addresses under which
/// it can be reached. Clients do not chain it to an authority, they pin its fingerprint.
enum SelfSignedCertificate {
    struct Made {
        let certificatePEM: String
        let keyPEM: String
    }

    /// `names` are host names and IP addresses, the first is the subject's.
    static func make(names: [String], now: Date) throws -> Made {
        let key = P256.Signing.PrivateKey()
        let subject = try DistinguishedName { CommonName(String((names.first ?? "localhost").prefix(64))) }
        let extensions = try Certificate.Extensions {
            Critical(BasicConstraints.notCertificateAuthority)
            Critical(KeyUsage(digitalSignature: true))
            try ExtendedKeyUsage([.serverAuth])
            SubjectAlternativeNames(names.map(generalName))
        }
        let certificate = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: .init(key.publicKey),
            notValidBefore: now.addingTimeInterval(-86_400), notValidAfter: now.addingTimeInterval(3_650 * 86_400),
            issuer: subject, subject: subject, signatureAlgorithm: .ecdsaWithSHA256, extensions: extensions,
            issuerPrivateKey: .init(key))
        return Made(
            certificatePEM: try certificate.serializeAsPEM().pemString + "\n", keyPEM: key.pemRepresentation + "\n")
    }

    private static func generalName(_ name: String) -> GeneralName {
        guard let bytes = addressBytes(name, AF_INET, 4) ?? addressBytes(name, AF_INET6, 16) else {
            return .dnsName(name)
        }
        return .ipAddress(ASN1OctetString(contentBytes: bytes[...]))
    }

    /// Nil when `text` is no address of the family. inet_pton(3) writes at most `count` bytes for it.
    private static func addressBytes(_ text: String, _ family: Int32, _ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        return unsafe inet_pton(family, text, &bytes) == 1 ? bytes : nil
    }
}
