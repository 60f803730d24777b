import CDbxShims
import Glibc

/// A connection to the machine's D-Bus, as an ordinary client of it. Used by one thread.
final class SystemBus {
    /// What came in, with the descriptor that came along.
    struct Arrival {
        var message: BusMessage
        var descriptor: OpenFile?
    }

    private let socket: OpenFile
    private var lastSerial: UInt32 = 0
    private var received: [UInt8] = []
    private var descriptors: [OpenFile] = []
    /// Signals that came while an answer was waited for.
    private var signals: [Arrival] = []

    private static let bus = (name: "org.freedesktop.DBus", path: "/org/freedesktop/DBus")
    private static let usualPath = "/run/dbus/system_bus_socket"
    /// How long an answer is waited for.
    private static let patience: Duration = .seconds(5)

    /// Connects to the bus that the environment names, or the usual one; throws where there is none.
    init() throws(Errno) {
        socket = try UnixSocket.connected(to: Self.path())
        try write(Array("\0AUTH EXTERNAL \(Self.hexadecimal(String(getuid())))\r\n".utf8))
        guard try line().hasPrefix("OK ") else { throw .accessDenied }
        try write(Array("NEGOTIATE_UNIX_FD\r\n".utf8))
        guard try line().hasPrefix("AGREE_UNIX_FD") else { throw .notSupported }
        try write(Array("BEGIN\r\n".utf8))
        _ = try call(.call(Self.bus.name, Self.bus.path, Self.bus.name, "Hello"))
    }

    var descriptor: Int32 { socket.descriptor }

    /// Asks for signals that fit the rule.
    func subscribe(_ rule: String) throws(Errno) {
        _ = try call(.call(Self.bus.name, Self.bus.path, Self.bus.name, "AddMatch", [.string(rule)]))
    }

    /// Sends a call and waits for its answer; an error for an answer is EREMOTEIO.
    func call(_ message: BusMessage) throws(Errno) -> Arrival {
        var message = message
        lastSerial += 1
        message.serial = lastSerial
        try write(message.encoded())
        while true {
            let arrival = try next(timeout: Self.patience)
            if arrival.message.replySerial != lastSerial {
                if arrival.message.kind == .signal { signals.append(arrival) }
                continue
            }
            guard arrival.message.kind == .answer else { throw .remote }
            return arrival
        }
    }

    /// The signals that are there. To be called when `descriptor` is readable, and after each `call`; waits for nothing.
    func takeSignals() throws(Errno) -> [BusMessage] {
        var messages = signals.map(\.message)
        signals = []
        while try LineConnection.waits(socket.descriptor, Int16(POLLIN), .zero) || isMessageComplete {
            let arrival = try next(timeout: Self.patience)
            if arrival.message.kind == .signal { messages.append(arrival.message) }
        }
        return messages
    }

    // MARK: Bytes

    private var isMessageComplete: Bool {
        guard received.count >= BusMessage.fixedHeaderBytes,
            let length = BusMessage.length(of: received[..<BusMessage.fixedHeaderBytes])
        else { return false }
        return received.count >= length
    }

    private func next(timeout: Duration) throws(Errno) -> Arrival {
        while received.count < BusMessage.fixedHeaderBytes { try receive(timeout) }
        guard let length = BusMessage.length(of: received[..<BusMessage.fixedHeaderBytes]) else { throw .badMessage }
        while received.count < length { try receive(timeout) }
        let message = try BusMessage(decoding: Array(received[..<length]))
        received.removeFirst(length)
        let takesDescriptor = message.body.contains { if case .descriptor = $0 { true } else { false } }
        return Arrival(
            message: message, descriptor: takesDescriptor && !descriptors.isEmpty ? descriptors.removeFirst() : nil)
    }

    private func line() throws(Errno) -> String {
        while true {
            if let end = received.firstIndex(of: 0x0A) {
                defer { received.removeSubrange(...end) }
                return String(decoding: received[..<end], as: UTF8.self)
            }
            guard received.count < BusMessage.maximumBytes else { throw .badMessage }
            try receive(Self.patience)
        }
    }

    private func receive(_ timeout: Duration) throws(Errno) {
        guard try LineConnection.waits(socket.descriptor, Int16(POLLIN), timeout) else { throw .timedOut }
        var buffer = [UInt8](repeating: 0, count: 4_096)
        var descriptor: Int32 = -1
        // The buffer is as long as the count says.
        let count = unsafe dbxfs_receive(socket.descriptor, &buffer, UInt(buffer.count), &descriptor)
        if descriptor >= 0 { descriptors.append(OpenFile(takingOwnershipOf: descriptor)) }
        guard count >= 0 else { throw Errno(rawValue: Int32(-count)) }
        guard count > 0 else { throw .brokenPipe }
        received += buffer[..<count]
    }

    private func write(_ bytes: [UInt8]) throws(Errno) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = try systemCall {
                unsafe rest.withUnsafeBytes { unsafe Glibc.write(socket.descriptor, $0.baseAddress, $0.count) }
            }
            rest = rest.dropFirst(count)
        }
    }

    // MARK: The address

    /// Of `DBUS_SYSTEM_BUS_ADDRESS`, a list of `unix:path=PATH,…;…`, the first path.
    private static func path() -> String {
        guard let address = unsafe getenv("DBUS_SYSTEM_BUS_ADDRESS").map({ unsafe String(cString: $0) }) else {
            return usualPath
        }
        for place in address.split(separator: ";") where place.hasPrefix("unix:") {
            for part in place.dropFirst("unix:".count).split(separator: ",") where part.hasPrefix("path=") {
                return String(part.dropFirst("path=".count))
            }
        }
        return usualPath
    }

    private static func hexadecimal(_ text: String) -> String {
        text.utf8.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}
