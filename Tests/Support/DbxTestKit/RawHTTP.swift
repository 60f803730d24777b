import Foundation
import Glibc

/// One HTTP/1.1 connection on a blocking socket that sends exactly the bytes it is given, malformed ones included.
/// Used by one test at a time; every wait ends after its timeout.
package final class RawHTTP {
    package struct Response: Sendable {
        package var status: Int
        /// Names in lower case.
        package var headers: [String: String]
        package var body: [UInt8]

        package var text: String { String(decoding: body, as: UTF8.self) }
        package func json() throws -> Any {
            try JSONSerialization.jsonObject(with: Data(body), options: .fragmentsAllowed)
        }
        package func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
            try JSONDecoder().decode(type, from: Data(body))
        }
    }

    package enum Failure: Error { case connect(Int32), closed, timeout, malformed(String) }

    private var descriptor: Int32
    private var buffered: [UInt8] = []
    private let seconds: Double

    package init(port: Int, seconds: Double = 20) throws {
        self.seconds = seconds
        signal(SIGPIPE, SIG_IGN)
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            close(descriptor)
            throw Failure.connect(errno)
        }
    }

    deinit { close(descriptor) }

    /// Says that nothing more will be sent.
    package func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    package func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { throw Failure.closed }
            sent += count
        }
    }

    /// Sends a request with `Host` and `Content-Length`, and reads its response.
    package func request(
        _ method: String, _ path: String, headers: [String: String] = [:], body: [UInt8] = []
    ) throws -> Response {
        try sendRequest(method, path, headers: headers, body: body)
        return try readResponse(toHead: method == "HEAD")
    }

    package func sendRequest(
        _ method: String, _ path: String, headers: [String: String] = [:], body: [UInt8] = []
    ) throws {
        var head = "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\n"
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        if headers["Content-Length"] == nil && headers["Transfer-Encoding"] == nil {
            head += "Content-Length: \(body.count)\r\n"
        }
        try send(Array((head + "\r\n").utf8) + body)
    }

    package func readResponse(toHead: Bool = false) throws -> Response {
        var response = try readHead()
        if response.status == 100 { response = try readHead() }
        if toHead || response.status == 204 || response.status == 304 { return response }
        if response.headers["transfer-encoding"] == "chunked" {
            while let chunk = try readChunk() { response.body += chunk }
        } else if let length = response.headers["content-length"].flatMap(Int.init) {
            response.body = try take(length)
        } else {
            while let more = try? take(1) { response.body += more }
        }
        return response
    }

    package func readHead() throws -> Response {
        let lines = try takeUntil("\r\n\r\n").components(separatedBy: "\r\n")
        let parts = lines[0].split(separator: " ")
        guard parts.count >= 2, let status = Int(parts[1]) else { throw Failure.malformed(lines[0]) }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(
                in: .whitespaces)
        }
        return Response(status: status, headers: headers, body: [])
    }

    /// One chunk of a chunked body; nil after the last.
    package func readChunk() throws -> [UInt8]? {
        guard let count = Int(try takeUntil("\r\n"), radix: 16) else { throw Failure.malformed("chunk size") }
        let chunk = try take(count)
        _ = try take(2)
        return count == 0 ? nil : chunk
    }

    /// Whether the other side has closed, or does so within the time.
    package func isClosed(within seconds: Double) -> Bool {
        do {
            try fill(seconds: seconds)
            return false
        } catch Failure.closed {
            return true
        } catch {
            return false
        }
    }

    private func takeUntil(_ mark: String) throws -> String {
        let mark = Array(mark.utf8)
        while true {
            if let range = Data(buffered).range(of: Data(mark)) {
                let text = String(decoding: buffered[..<range.lowerBound], as: UTF8.self)
                buffered.removeSubrange(..<range.upperBound)
                return text
            }
            try fill(seconds: seconds)
        }
    }

    private func take(_ count: Int) throws -> [UInt8] {
        while buffered.count < count { try fill(seconds: seconds) }
        defer { buffered.removeSubrange(..<count) }
        return Array(buffered[..<count])
    }

    private func fill(seconds: Double) throws {
        var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&poller, 1, Int32(seconds * 1_000)) > 0 else { throw Failure.timeout }
        var chunk = [UInt8](repeating: 0, count: 256 << 10)
        let count = read(descriptor, &chunk, chunk.count)
        guard count > 0 else { throw Failure.closed }
        buffered += chunk[..<count]
    }
}
