import CurlHTTP
import DbxModel
import DbxSystem
import Foundation
import Testing

@Suite("TLS", .timeLimit(.minutes(1)))
struct TLSTests {
    /// `openssl s_server` with a certificate made for the purpose.
    private final class OpenSSLServer {
        let directory: String
        let port: Int
        let certificate: String
        private let process = Process()

        init() throws {
            directory = "/tmp/dbxfs-tls-\(getpid())-\(UInt32.random(in: 0 ... .max))"
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            let free = try RawServer()
            port = free.port
            free.stop()
            let (key, cert) = (directory + "/key.pem", directory + "/cert.pem")
            try Self.run([
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=somewhere.example", "-keyout", key, "-out", cert,
            ])
            certificate = try String(contentsOfFile: cert, encoding: .utf8)
            process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
            process.arguments = [
                "s_server", "-accept", "127.0.0.1:\(port)", "-key", key, "-cert", cert, "-www", "-quiet",
            ]
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            try process.run()
            let probe = HTTPConnection(trust: .system, time: SystemTime())
            for _ in 0..<100 where (try? probe.fetchCertificate(of: url)) == nil { usleep(50_000) }
        }

        var url: String { "https://127.0.0.1:\(port)/" }

        deinit {
            // It has this process's blocked signals.
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            try? FileManager.default.removeItem(atPath: directory)
        }

        private static func run(_ arguments: [String]) throws {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
            process.arguments = arguments
            process.standardError = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
        }
    }

    private static let hasOpenSSL = FileManager.default.isExecutableFile(atPath: "/usr/bin/openssl")

    @Test(.enabled(if: hasOpenSSL, "needs /usr/bin/openssl"))
    func `A self-made certificate is believed only where it is pinned`() throws {
        let server = try OpenSSLServer()
        let other = try OpenSSLServer()
        func kind(_ trust: HTTPTrust) -> TransportError.Kind? {
            do {
                _ = try HTTPConnection(trust: trust, time: SystemTime()).perform(
                    HTTPRequest(.get, server.url), into: .collect(limitBytes: 1 << 20))
                return nil
            } catch {
                return error.kind
            }
        }
        #expect(kind(.system) == .tls)
        #expect(kind(.pinned(pem: other.certificate)) == .tls)
        #expect(kind(.pinned(pem: "no certificate")) == .tls)
        #expect(kind(.pinned(pem: server.certificate)) == nil)

        let shown = try HTTPConnection(trust: .system, time: SystemTime()).fetchCertificate(of: server.url)
        #expect(shown.der == ServerCertificate(pem: server.certificate)?.der)
        #expect(kind(.pinned(pem: shown.pem)) == nil)
    }

    @Test(.enabled(if: hasOpenSSL, "needs /usr/bin/openssl"))
    func `A connection that has to be made anew resumes its TLS session`() throws {
        // It closes each connection after its answer, which tells how the session came about.
        let server = try OpenSSLServer()
        let connection = HTTPConnection(trust: .pinned(pem: server.certificate), time: SystemTime())
        let answers = try (0..<3).map { _ in
            String(
                decoding: try connection.perform(
                    HTTPRequest(.get, server.url), into: .collect(limitBytes: 1 << 20)
                ).body, as: UTF8.self)
        }
        #expect(answers[0].contains("New, TLSv1.3"))
        #expect(answers.dropFirst().allSatisfy { $0.contains("Reused, TLSv1.3") })
    }
}
