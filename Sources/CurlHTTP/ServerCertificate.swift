internal import CCurl
internal import Foundation

/// A server's own certificate, as it was shown in the handshake.
package struct ServerCertificate: Hashable, Sendable {
    package let pem: String
    /// What fingerprints are made of.
    package let der: [UInt8]

    /// Nil unless `pem` holds one certificate in base64.
    package init?(pem: String) {
        let lines = pem.split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("-----") }
        guard let der = Data(base64Encoded: lines.joined()), !der.isEmpty else { return nil }
        self.pem = pem
        self.der = [UInt8](der)
    }

    /// The first certificate of the chain that the handle's last handshake saw.
    init?(leafOf handle: CurlHandle) {
        var info: UnsafeMutablePointer<curl_certinfo>?
        guard unsafe dbxfs_curl_get_certinfo(handle.easy, &info) == CURLE_OK, let chain = unsafe info?.pointee,
            unsafe chain.num_of_certs > 0
        else { return nil }
        // curl owns the list; its entries are "Name:value" strings, the certificate's PEM under "Cert".
        var entry = unsafe chain.certinfo[0]
        while let line = unsafe entry {
            let text = unsafe String(cString: line.pointee.data)
            if text.hasPrefix("Cert:") {
                self.init(pem: String(text.dropFirst(5)))
                return
            }
            unsafe entry = line.pointee.next
        }
        return nil
    }
}
