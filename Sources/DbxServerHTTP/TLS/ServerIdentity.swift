import Foundation
import Glibc
import NIOCore
import NIOPosix
import NIOSSL

/// The certificate chain and key with which a server proves who it is.
package struct ServerIdentity {
    let chain: [NIOSSLCertificate]
    let key: NIOSSLPrivateKey
    package let fingerprint: Fingerprint

    /// The files of a server's own certificate, in its data directory.
    private static let certificateFile = "tls-cert.pem"
    private static let keyFile = "tls-key.pem"

    /// Loads a given certificate and key.
    package init(certificateFile: String, keyFile: String) throws(ConfigurationError) {
        do {
            chain = try NIOSSLCertificate.fromPEMFile(certificateFile)
        } catch {
            throw ConfigurationError(
                "The certificate \(certificateFile) cannot be used: \(error). Give a PEM file that this user can read.")
        }
        do {
            key = try NIOSSLPrivateKey(file: keyFile, format: .pem)
        } catch {
            throw ConfigurationError(
                "The key \(keyFile) cannot be used: \(error). Give the PEM file of the certificate's key, without password."
            )
        }
        guard let leaf = chain.first, let der = try? leaf.toDERBytes() else {
            throw ConfigurationError("The file \(certificateFile) holds no certificate. Give one in PEM form.")
        }
        fingerprint = Fingerprint(ofCertificateDER: der)
    }

    /// The server's own certificate; nil when it has made none yet.
    package static func own(dataDirectory: String) throws(ConfigurationError) -> ServerIdentity? {
        let (certificate, key) = (dataDirectory + "/" + certificateFile, dataDirectory + "/" + keyFile)
        guard FileManager.default.fileExists(atPath: certificate) else { return nil }
        return try ServerIdentity(certificateFile: certificate, keyFile: key)
    }

    /// The server's own certificate, made on first use. The key is readable by its owner only and is in place before
    /// the certificate, whose presence says that both are there.
    package static func makingOwn(dataDirectory: String, address: ListenAddress) throws -> ServerIdentity {
        if let existing = try own(dataDirectory: dataDirectory) { return existing }
        let made = try SelfSignedCertificate.make(names: try names(of: address), now: Date())
        try write(made.keyPEM, to: dataDirectory + "/" + keyFile, mode: 0o600)
        try write(made.certificatePEM, to: dataDirectory + "/" + certificateFile, mode: 0o644)
        guard let identity = try own(dataDirectory: dataDirectory) else {
            throw ConfigurationError(
                "The new certificate in \(dataDirectory) cannot be read back. Check the directory.")
        }
        return identity
    }

    /// Host name, `localhost`, and the addresses that are listened on: all of the machine's for a wildcard.
    private static func names(of address: ListenAddress) throws -> [String] {
        var names = [ProcessInfo.processInfo.hostName, "localhost"]
        if ["0.0.0.0", "::", "*"].contains(address.host) {
            names += try System.enumerateDevices().compactMap { $0.address?.ipAddress }
                .map { String($0.prefix { $0 != "%" }) }
        } else {
            names.append(address.host)
        }
        names += ["127.0.0.1", "::1"]
        var seen: Set<String> = []
        return names.filter { !$0.isEmpty && seen.insert($0).inserted }
    }

    /// Whole or not at all: written beside, synced, renamed.
    private static func write(_ text: String, to path: String, mode: mode_t) throws(ConfigurationError) {
        let temporary = path + ".new"
        unsafe unlink(temporary)
        let descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw failure(path) }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        do {
            try file.write(contentsOf: Data(text.utf8))
            try file.synchronize()
        } catch {
            throw failure(path)
        }
        guard unsafe rename(temporary, path) == 0 else { throw failure(path) }
    }

    private static func failure(_ path: String) -> ConfigurationError {
        ConfigurationError("\(path) cannot be written: check that the data directory is writable and has space.")
    }

    var tlsConfiguration: TLSConfiguration {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        return configuration
    }
}
