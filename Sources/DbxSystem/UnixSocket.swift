import CDbxShims
import Glibc

/// Unix stream sockets with lines of text: what a daemon and its commands speak over.
///
/// Paths longer than `sun_path` work too: the directory is opened and the socket reached through `/proc/self/fd`.
package enum UnixSocket {
    /// Makes a socket file that only its owner may connect to, replacing a stale one, and listens.
    package static func listen(at path: String) throws(Errno) -> OpenFile {
        let socket = try open()
        try? Paths.remove(path)
        let (address, directory) = try address(of: path)
        // The umask is the process's; the mode is set before `listen` lets anybody connect.
        unsafe try withAddress(address) { address, length throws(Errno) in
            _ = try systemCall { unsafe bind(socket.descriptor, address, length) }
        }
        _ = try systemCall { unsafe chmod(path, 0o600) }
        _ = try systemCall { Glibc.listen(socket.descriptor, 16) }
        withExtendedLifetime(directory) {}
        return socket
    }

    package static func connect(to path: String) throws(Errno) -> LineConnection {
        LineConnection(try connected(to: path))
    }

    static func connected(to path: String) throws(Errno) -> OpenFile {
        let socket = try open()
        let (address, directory) = try address(of: path)
        unsafe try withAddress(address) { address, length throws(Errno) in
            _ = try systemCall { unsafe Glibc.connect(socket.descriptor, address, length) }
        }
        withExtendedLifetime(directory) {}
        return socket
    }

    /// The next connection, or nil when none came within `timeout`.
    package static func accept(_ listener: OpenFile, timeout: Duration) throws(Errno) -> LineConnection? {
        guard try LineConnection.waits(listener.descriptor, Int16(POLLIN), timeout) else { return nil }
        let descriptor = dbxfs_accept(listener.descriptor, Int32(SOCK_CLOEXEC.rawValue))
        guard descriptor >= 0 else { throw Errno(rawValue: -descriptor) }
        return LineConnection(OpenFile(takingOwnershipOf: descriptor))
    }

    private static func open() throws(Errno) -> OpenFile {
        OpenFile(
            takingOwnershipOf: try systemCall {
                socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            })
    }

    private static func address(of path: String) throws(Errno) -> (sockaddr_un, OpenFile?) {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { throw .invalidArgument }
        let directory = try OpenFile(path: String(path[..<slash]), [.readOnly, .directory])
        let bytes = Array("/proc/self/fd/\(directory.descriptor)\(path[slash...])".utf8)
        var address = sockaddr_un()
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { throw .nameTooLong }
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        return (address, directory)
    }

    /// The pointer is to a local copy and used only within `body`.
    private static func withAddress(
        _ address: sockaddr_un, _ body: (UnsafePointer<sockaddr>, socklen_t) throws(Errno) -> Void
    ) throws(Errno) {
        var failure: Errno?
        unsafe withUnsafePointer(to: address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { target in
                do throws(Errno) {
                    unsafe try body(target, socklen_t(MemoryLayout<sockaddr_un>.size))
                } catch {
                    failure = error
                }
            }
        }
        if let failure { throw failure }
    }
}

/// A stream (socket or pipe) of lines. Used by one thread at a time.
package final class LineConnection {
    private let file: OpenFile
    private var received: [UInt8] = []

    /// A peer that sends a longer line is no peer of ours.
    private static let maximumLineBytes = 1 << 20

    package init(_ file: OpenFile) { self.file = file }

    /// The next line without its newline; nil at the end of the stream. Throws `.timedOut`.
    package func readLine(timeout: Duration? = nil) throws(Errno) -> [UInt8]? {
        while true {
            if let newline = received.firstIndex(of: 0x0A) {
                let line = Array(received[..<newline])
                received.removeSubrange(...newline)
                return line
            }
            guard received.count < Self.maximumLineBytes else { throw .valueTooLarge }
            if let timeout, try !Self.waits(file.descriptor, Int16(POLLIN), timeout) { throw .timedOut }
            var buffer = [UInt8](repeating: 0, count: 16_384)
            // The buffer is as long as the count says.
            let count = try systemCall { unsafe read(file.descriptor, &buffer, buffer.count) }
            if count == 0 { return nil }
            received += buffer[..<count]
        }
    }

    /// Sends the line and a newline. SIGPIPE must be ignored, as every program of ours does.
    package func writeLine(_ line: [UInt8]) throws(Errno) {
        var rest = (line + [0x0A])[...]
        while !rest.isEmpty {
            let count = try systemCall {
                unsafe rest.withUnsafeBytes { unsafe write(file.descriptor, $0.baseAddress, $0.count) }
            }
            rest = rest.dropFirst(count)
        }
    }

    /// Whether the other side has closed the connection or sent something.
    package func isReadable() -> Bool {
        (try? Self.waits(file.descriptor, Int16(POLLIN), .zero)) ?? true
    }

    static func waits(_ descriptor: Int32, _ events: Int16, _ timeout: Duration) throws(Errno) -> Bool {
        var poller = pollfd(fd: descriptor, events: events, revents: 0)
        let (seconds, attoseconds) = max(timeout, .zero).components
        let milliseconds = Int32(clamping: seconds * 1_000 + attoseconds / 1_000_000_000_000_000)
        return try systemCall { unsafe poll(&poller, 1, milliseconds) } > 0
    }
}
