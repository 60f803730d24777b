import Foundation
import Glibc
import Synchronization

/// A TCP server on loopback that plays each accepted connection to a script: what no real server would do on purpose.
/// One thread per connection; `stop` closes the listener and all connections.
final class RawServer: Sendable {
    /// One accepted connection.
    struct Peer {
        let descriptor: Int32

        /// One request's head and the body that its Content-Length announces; nil at the end.
        func readRequest() -> (head: String, body: [UInt8])? {
            var bytes: [UInt8] = []
            while true {
                if let end = String(decoding: bytes, as: UTF8.self).range(of: "\r\n\r\n") {
                    let text = String(decoding: bytes, as: UTF8.self)
                    let head = String(text[..<end.lowerBound])
                    var body = Array(bytes.dropFirst(head.utf8.count + 4))
                    let length =
                        head.lowercased().split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
                        .flatMap { Int($0.dropFirst(15).trimmingCharacters(in: .whitespaces)) } ?? 0
                    while body.count < length {
                        guard let more = read() else { return nil }
                        body += more
                    }
                    return (head, body)
                }
                guard let more = read() else { return nil }
                bytes += more
            }
        }

        func send(_ text: String) { send(Array(text.utf8)) }

        func send(_ bytes: [UInt8]) {
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes {
                    Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { return }
                rest = rest.dropFirst(count)
            }
        }

        func answer(status: String = "200 OK", type: String = "application/json", _ body: [UInt8]) {
            send("HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\nContent-Length: \(body.count)\r\n\r\n")
            send(body)
        }

        /// Ends the connection with a reset instead of a proper close.
        func reset() {
            var linger = Glibc.linger(l_onoff: 1, l_linger: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        }

        private func read() -> [UInt8]? {
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            return count > 0 ? Array(buffer[..<count]) : nil
        }
    }

    private struct State {
        var open: Set<Int32> = []
        var accepted = 0
    }

    let port: Int
    private let listener: Int32
    private let state = Mutex(State())

    var url: String { "http://127.0.0.1:\(port)" }
    var acceptedConnections: Int { state.withLock { $0.accepted } }

    /// - Parameter isBlackHole: connections are made by the kernel but never served.
    init(isBlackHole: Bool = false, _ script: @escaping @Sendable (Peer) -> Void = { _ in }) throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = listener
        let bound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && listen(descriptor, 64) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard bound else { throw POSIXError(.EADDRINUSE) }
        port = Int(UInt16(bigEndian: address.sin_port))
        guard !isBlackHole else { return }
        Thread.detachNewThread { [self] in acceptLoop(script) }
    }

    private func acceptLoop(_ script: @escaping @Sendable (Peer) -> Void) {
        while true {
            let descriptor = accept(listener, nil, nil)
            guard descriptor >= 0 else { return }
            state.withLock {
                $0.accepted += 1
                $0.open.insert(descriptor)
            }
            Thread.detachNewThread { [self] in
                script(Peer(descriptor: descriptor))
                state.withLock { if $0.open.remove(descriptor) != nil { close(descriptor) } }
            }
        }
    }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        state.withLock { for descriptor in $0.open { shutdown(descriptor, Int32(SHUT_RDWR)) } }
    }

    deinit { close(listener) }
}
