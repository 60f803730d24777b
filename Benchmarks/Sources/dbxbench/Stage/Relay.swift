import Foundation
import Synchronization

/// A TCP relay on loopback that counts what passes: every byte of a connection, headers and all, without TCP's own. With a
/// link it is one: as slow, and as far away; a new connection costs its round trip.
final class Relay: Sendable {
    struct Count {
        var up = 0
        var down = 0
    }

    let port: UInt16
    private let listener: Int32
    private let target: UInt16
    private let total = Mutex(Count())
    private let lines: (up: Line, down: Line)?

    /// Relays to a port of this machine, until the program ends.
    init(to target: UInt16, over link: Link? = nil) throws {
        self.target = target
        lines = link.map { (Line($0), Line($0)) }
        (listener, port) = try Self.bound()
        guard listen(listener, 64) == 0 else { throw File.error("listen", "127.0.0.1") }
        Thread.detachNewThread { [self] in accept() }
    }

    /// What has passed so far.
    var count: Count { total.withLock { $0 } }

    /// One that nobody listens on at this moment.
    static func freePort() throws -> UInt16 {
        let probe = try bound()
        close(probe.listener)
        return probe.port
    }

    static func awaitListener(_ port: UInt16) throws {
        let deadline = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < deadline {
            let probe = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            defer { close(probe) }
            if connect(probe, to: port) { return }
            usleep(20_000)
        }
        throw Failure("nothing listens on port \(port)")
    }

    private static func connect(_ end: Int32, to port: UInt16) -> Bool {
        var address = loopback(port)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(end, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    private static func bound() throws -> (listener: Int32, port: UInt16) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = loopback(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(listener, address, length) == 0 && getsockname(listener, address, &length) == 0
            }
        }
        guard isBound else { throw File.error("bind", "127.0.0.1") }
        return (listener, UInt16(bigEndian: address.sin_port))
    }

    private static func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    private func accept() {
        while case let client = Glibc.accept(listener, nil, nil), client >= 0 {
            let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            guard Self.connect(server, to: target) else {
                close(client)
                close(server)
                continue
            }
            var on: Int32 = 1
            for end in [client, server] { setsockopt(end, Int32(IPPROTO_TCP), TCP_NODELAY, &on, 4) }
            Thread.detachNewThread { [self] in pass(client, server, lines?.up) { $0.up += $1 } }
            Thread.detachNewThread { [self] in pass(server, client, lines?.down) { $0.down += $1 } }
        }
    }

    /// Until either side ends. The descriptors stay: the other direction may be using them.
    private func pass(_ source: Int32, _ target: Int32, _ line: Line?, _ note: (inout Count, Int) -> Void) {
        if let line { return pass(source, target, over: line, note) }
        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        while case let count = read(source, &buffer, buffer.count), count > 0 {
            total.withLock { note(&$0, count) }
            Self.send(buffer[..<count], to: target)
        }
        shutdown(target, Int32(SHUT_WR))
    }

    private func pass(_ source: Int32, _ target: Int32, over line: Line, _ note: (inout Count, Int) -> Void) {
        let flight = Flight()
        Thread.detachNewThread {
            while let bytes = flight.next() { Self.send(bytes[...], to: target) }
            shutdown(target, Int32(SHUT_WR))
        }
        let made = ContinuousClock.now + line.roundTrip
        var buffer = [UInt8](repeating: 0, count: 32 << 10)
        while case let count = read(source, &buffer, buffer.count), count > 0 {
            total.withLock { note(&$0, count) }
            sleepUntil(made)
            flight.add(Array(buffer[..<count]), arrival: line.enter(count))
        }
        flight.end()
    }

    private static func send(_ bytes: ArraySlice<UInt8>, to target: Int32) {
        bytes.withUnsafeBytes { bytes in
            var sent = 0
            while sent < bytes.count {
                let step = write(target, bytes.baseAddress! + sent, bytes.count - sent)
                guard step > 0 else { return }
                sent += step
            }
        }
    }
}
