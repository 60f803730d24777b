internal import CCurl

/// The receiving side of one request: what libcurl's callbacks fill. Used on the performing thread only.
final class Transfer {
    private(set) var head = HTTPHead()
    private var body: [UInt8] = []
    /// Set when a callback ended the request.
    private(set) var failure: TransportError?
    private let receiver: HTTPReceiver
    private var headerBytes = 0
    private let pace: Pace

    private static let maximumHeaderBytes = 64 << 10
    private static let maximumErrorBytes = 1 << 20

    init(_ receiver: HTTPReceiver, pace: Pace) {
        self.receiver = receiver
        self.pace = pace
    }

    /// One header line with its line end; a status line begins a new answer (after 100 Continue).
    func receiveHeader(_ line: UnsafeRawBufferPointer) -> Bool {
        headerBytes += line.count
        guard headerBytes <= Self.maximumHeaderBytes else {
            failure = TransportError(.protocol, "the answer has more than 64 KiB of headers")
            return false
        }
        let text = unsafe String(decoding: line, as: UTF8.self)
        if text.hasPrefix("HTTP/") {
            head = HTTPHead(status: text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0)
            return true
        }
        let parts = text.split(separator: ":", maxSplits: 1)
        guard parts.count == 2 else { return true }
        let name = parts[0].lowercased()
        let value = String(
            parts[1].trimmingPrefix { $0.isWhitespace }.reversed().trimmingPrefix { $0.isWhitespace }.reversed())
        if let earlier = head.headers[name] {
            head.headers[name] = earlier + ", " + value
        } else {
            head.headers[name] = value
        }
        reserve(name, value)
        return true
    }

    /// How many of the bytes were taken, or that the request is to be held and these come again.
    func receive(_ piece: UnsafeRawBufferPointer) -> Int {
        guard pace.mayReceive(piece.count) else { return Int(CURL_WRITEFUNC_PAUSE) }
        return unsafe receiveBody(piece) ? piece.count : 0
    }

    private func receiveBody(_ piece: UnsafeRawBufferPointer) -> Bool {
        if case .stream(let take) = receiver, head.isSuccess {
            if unsafe take(head, [UInt8](piece)) { return true }
            failure = .cancelled
            return false
        }
        guard body.count + piece.count <= limitBytes else {
            failure = TransportError(.protocol, "the answer is longer than \(limitBytes) bytes")
            return false
        }
        unsafe body.append(contentsOf: piece)
        return true
    }

    /// Without a copy; to be called once.
    func takeBody() -> [UInt8] {
        defer { body = [] }
        return body
    }

    private var limitBytes: Int {
        if case .collect(let limitBytes) = receiver, head.isSuccess { return limitBytes }
        return Self.maximumErrorBytes
    }

    private func reserve(_ name: String, _ value: String) {
        guard name == "content-length", let count = Int(value), (0...limitBytes).contains(count) else { return }
        body.reserveCapacity(count)
    }
}

/// `CURLOPT_HEADERFUNCTION` and `CURLOPT_WRITEFUNCTION`; the context is a `Transfer` that outlives the request.
/// Answering less than was given ends the request.
let headerCallback: curl_write_callback = { bytes, size, count, context in
    guard let bytes = unsafe bytes, let context = unsafe context else { return 0 }
    let transfer = unsafe Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    let piece = unsafe UnsafeRawBufferPointer(start: bytes, count: size * count)
    return unsafe transfer.receiveHeader(piece) ? size * count : 0
}

let bodyCallback: curl_write_callback = { bytes, size, count, context in
    guard size * count > 0 else { return 0 }
    guard let bytes = unsafe bytes, let context = unsafe context else { return 0 }
    let transfer = unsafe Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    let piece = unsafe UnsafeRawBufferPointer(start: bytes, count: size * count)
    return unsafe transfer.receive(piece)
}
