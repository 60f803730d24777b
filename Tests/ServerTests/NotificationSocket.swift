import Foundation
import Glibc

/// The socket that systemd would give to a service of `Type=notify`.
final class NotificationSocket {
    struct Failure: Error { let code: Int32 }

    let path = "/tmp/dbxfs-notify-\(UUID().uuidString)"
    private let descriptor: Int32

    init() throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw Failure(code: errno) }
    }

    deinit {
        close(descriptor)
        unlink(path)
    }

    /// The next datagram.
    func receive() throws -> String {
        var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&poller, 1, 20_000) > 0 else { throw Failure(code: ETIMEDOUT) }
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        guard count >= 0 else { throw Failure(code: errno) }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}
