import Foundation
import Glibc
import Synchronization

/// A TCP proxy on loopback before a server, that can be a bad network: a slow one, one that loses everything, one whose
/// other end talks nonsense. Ends with the object. Thread-safe; two threads for each connection.
package final class FaultProxy: Sendable {
    package enum Mode: Hashable, Sendable {
        case pass
        /// Connections are ended as soon as they are made, those that stand are cut.
        case refuse
        /// Packets are dropped: connections are made and stand, and nothing goes through.
        case blackHole
        /// Every answer is something else than HTTP.
        case garbage
        /// The contents of blocks do not come; everything else does.
        case stallBlocks
        /// A login page, as a captive portal gives it to every request.
        case portal
        /// Connections that stand lead nowhere any more, without a word, as when a router has forgotten them; new ones work.
        case forgotten
        /// Every request is answered with 503 and this `Retry-After`; the server sees none.
        case busy(retryAfterSeconds: Int)
        /// The connection is cut after this many bytes of each answer.
        case cut(afterBytes: Int)
        /// A link of this rate, each way, with half of this round trip before each piece.
        case link(bytesPerSecond: Int, roundTripMilliseconds: Int)
    }

    private struct State {
        var mode = Mode.pass
        var target: UInt16
        var connections: [Int32] = []
        var forgotten: Set<Int32> = []
        var sent: Int64 = 0
        var received: Int64 = 0
        var refusals = 0
    }

    package let port: UInt16
    private let listener: Int32
    private let state: Mutex<State>

    package init(to target: Int) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        self.listener = listener
        var address = Self.loopback(0)
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard listener >= 0, bound == 0, listen(listener, 128) == 0 else {
            throw Shell.Failure(description: "the proxy cannot listen: errno \(errno)")
        }
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            _ = pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(listener, $0, &length) }
        }
        port = UInt16(bigEndian: address.sin_port)
        state = Mutex(State(target: UInt16(target)))
        Thread.detachNewThread { [weak self] in
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0, let self else { return }
                self.serve(client)
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
        for connection in state.withLock({ $0.connections }) { shutdown(connection, Int32(SHUT_RDWR)) }
    }

    package var url: String { "http://127.0.0.1:\(port)" }

    /// Bytes that clients have sent and received, headers and all.
    package var sentBytes: Int64 { state.withLock { $0.sent } }
    package var receivedBytes: Int64 { state.withLock { $0.received } }

    /// Requests answered with 503.
    package var refusals: Int { state.withLock { $0.refusals } }

    /// From now on the network is like this, for connections that stand as well.
    package func become(_ mode: Mode) {
        let cut = state.withLock { state in
            state.mode = mode
            if mode == .forgotten { state.forgotten.formUnion(state.connections) }
            return mode == .refuse ? state.connections : []
        }
        for connection in cut { shutdown(connection, Int32(SHUT_RDWR)) }
    }

    /// The server has moved.
    package func point(to port: Int) { state.withLock { $0.target = UInt16(port) } }

    // MARK: Connections

    private static func loopback(_ port: UInt16) -> sockaddr_in {
        sockaddr_in(
            sin_family: sa_family_t(AF_INET), sin_port: port.bigEndian,
            sin_addr: in_addr(s_addr: UInt32(0x7f00_0001).bigEndian),
            sin_zero: (0, 0, 0, 0, 0, 0, 0, 0))
    }

    private func serve(_ client: Int32) {
        let (mode, target) = state.withLock { ($0.mode, $0.target) }
        let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = Self.loopback(target)
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if mode == .refuse || connected != 0 {
            close(client)
            close(server)
            return
        }
        var yes: Int32 = 1
        for descriptor in [client, server] {
            setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
        }
        state.withLock { $0.connections += [client, server] }
        let both = Pair(client: client, server: server)
        Thread.detachNewThread { [self] in
            pump(from: client, to: server, isAnswer: false)
            end(both)
        }
        Thread.detachNewThread { [self] in
            pump(from: server, to: client, isAnswer: true)
            end(both)
        }
    }

    /// The two ends of a connection; closed when both directions have ended.
    private final class Pair: Sendable {
        let client: Int32
        let server: Int32
        let ended = Mutex(0)

        init(client: Int32, server: Int32) {
            self.client = client
            self.server = server
        }
    }

    private func end(_ pair: Pair) {
        for descriptor in [pair.client, pair.server] { shutdown(descriptor, Int32(SHUT_RDWR)) }
        let isLast = pair.ended.withLock { count in
            count += 1
            return count == 2
        }
        guard isLast else { return }
        state.withLock { state in
            state.connections.removeAll { $0 == pair.client || $0 == pair.server }
            state.forgotten.subtract([pair.client, pair.server])
        }
        close(pair.client)
        close(pair.server)
    }

    private func pump(from source: Int32, to sink: Int32, isAnswer: Bool) {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        var passed = 0
        while true {
            let mode = state.withLock { $0.mode }
            let limit: Int =
                switch mode {
                case .link(let rate, _): max(1, min(buffer.count, rate / 50))
                case .cut(let bytes) where isAnswer: max(1, min(buffer.count, bytes))
                default: buffer.count
                }
            let count = recv(source, &buffer, limit, 0)
            guard count > 0 else { return }
            if state.withLock({ $0.forgotten.contains(source) }) { continue }
            if !isAnswer, Self.asksForBlock(buffer[..<count]) { stallIfAsked() }
            if case .busy(let seconds) = mode, !isAnswer {
                guard refuse(buffer[..<count], seconds, to: source) else { return }
                continue
            }
            guard let bytes = treat(Array(buffer[..<count]), isAnswer, passed: passed) else { return }
            guard send(bytes, to: sink) else { return }
            passed += count
            state.withLock { state in
                if isAnswer { state.received += Int64(bytes.count) } else { state.sent += Int64(bytes.count) }
            }
        }
    }

    /// Answers what begins a request; the rest of its body is swallowed.
    private func refuse(_ bytes: ArraySlice<UInt8>, _ seconds: Int, to client: Int32) -> Bool {
        let word = String(decoding: bytes.prefix(8), as: UTF8.self).split(separator: " ").first ?? ""
        guard ["GET", "POST", "PUT", "DELETE"].contains(word) else { return true }
        state.withLock { $0.refusals += 1 }
        let body = #"{"type":"urn:dbxfs:problem:unavailable","title":"Busy","status":503,"detail":"by a test"}"#
        let head =
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nRetry-After: \(seconds)\r\n"
            + "Content-Length: \(body.utf8.count)\r\n\r\n"
        return send(Array((head + body).utf8), to: client)
    }

    private static func asksForBlock(_ bytes: ArraySlice<UInt8>) -> Bool {
        let line = String(decoding: bytes.prefix { $0 != 0x0d }.prefix(200), as: UTF8.self)
        return line.hasPrefix("GET ") && line.contains("/blocks/")
    }

    private func stallIfAsked() {
        while state.withLock({ $0.mode }) == .stallBlocks { usleep(20_000) }
    }

    /// What comes out at the other end; nil ends the connection.
    private func treat(_ bytes: [UInt8], _ isAnswer: Bool, passed: Int) -> [UInt8]? {
        while true {
            switch state.withLock({ $0.mode }) {
            case .pass, .stallBlocks, .forgotten, .busy: return bytes
            case .refuse: return nil
            case .blackHole: usleep(20_000)
            case .garbage: return isAnswer ? bytes.map { $0 ^ 0x5a } : bytes
            case .portal:
                let page = "<html>Please log in to our network.</html>"
                return isAnswer
                    ? Array(
                        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: \(page.utf8.count)\r\n\r\n\(page)"
                            .utf8)
                    : bytes
            case .cut(let limit):
                if !isAnswer { return bytes }
                return passed >= limit ? nil : bytes
            case .link(let rate, let roundTrip):
                pass(microseconds: roundTrip * 500 + bytes.count * 1_000_000 / max(rate, 1))
                return bytes
            }
        }
    }

    /// What a link takes for a piece, but no longer than it is one.
    private func pass(microseconds: Int) {
        var left = microseconds
        while left > 0, case .link = state.withLock({ $0.mode }) {
            usleep(UInt32(min(left, 20_000)))
            left -= 20_000
        }
    }

    private func send(_ bytes: [UInt8], to sink: Int32) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(sink, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }
}
