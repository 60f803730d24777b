import Foundation
import Glibc
import Synchronization

/// An HTTP proxy on loopback that knows CONNECT only and leads every name to this machine. Ends with the object.
/// Thread-safe; two threads for each connection.
package final class TunnelProxy: Sendable {
    package let port: UInt16
    private let listener: Int32
    private let tunnels = Mutex<[String]>([])

    package init() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = Self.loopback(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 64) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        guard isBound else { throw Shell.Failure(description: "the proxy cannot listen: errno \(errno)") }
        self.listener = listener
        port = UInt16(bigEndian: address.sin_port)
        Thread.detachNewThread { [weak self] in
            while case let client = accept(listener, nil, nil), client >= 0, let self { self.serve(client) }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    package var url: String { "http://127.0.0.1:\(port)" }

    /// What was asked for, `name:port` each, in order.
    package var targets: [String] { tunnels.withLock { $0 } }

    private static func loopback(_ port: UInt16) -> sockaddr_in {
        sockaddr_in(
            sin_family: sa_family_t(AF_INET), sin_port: port.bigEndian,
            sin_addr: in_addr(s_addr: UInt32(0x7f00_0001).bigEndian), sin_zero: (0, 0, 0, 0, 0, 0, 0, 0))
    }

    private func serve(_ client: Int32) {
        Thread.detachNewThread { [self] in
            guard let target = Self.readRequest(client),
                let port = target.split(separator: ":").last.flatMap({ UInt16($0) })
            else {
                close(client)
                return
            }
            tunnels.withLock { $0.append(target) }
            let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            var address = Self.loopback(port)
            let isConnected = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                }
            }
            Self.send(Array("HTTP/1.1 \(isConnected ? "200 OK" : "502 Bad Gateway")\r\n\r\n".utf8)[...], to: client)
            let back = Thread { Self.pass(server, client) }
            if isConnected { back.start() }
            if isConnected { Self.pass(client, server) }
            while isConnected, !back.isFinished { usleep(1_000) }
            close(server)
            close(client)
        }
    }

    /// What the head of a CONNECT request names.
    private static func readRequest(_ client: Int32) -> String? {
        var head: [UInt8] = []
        var byte: UInt8 = 0
        while !head.suffix(4).elementsEqual("\r\n\r\n".utf8) {
            guard head.count < 10_000, recv(client, &byte, 1, 0) == 1 else { return nil }
            head.append(byte)
        }
        let words = String(decoding: head, as: UTF8.self).split(separator: " ")
        return words.first == "CONNECT" ? words.dropFirst().first.map(String.init) : nil
    }

    /// Until either side ends.
    private static func pass(_ source: Int32, _ target: Int32) {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while case let count = recv(source, &buffer, buffer.count, 0), count > 0 { send(buffer[..<count], to: target) }
        for end in [source, target] { shutdown(end, Int32(SHUT_RDWR)) }
    }

    private static func send(_ bytes: ArraySlice<UInt8>, to target: Int32) {
        bytes.withUnsafeBytes { bytes in
            var sent = 0
            while sent < bytes.count {
                let step = Glibc.send(target, bytes.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
                guard step > 0 else { return }
                sent += step
            }
        }
    }
}
