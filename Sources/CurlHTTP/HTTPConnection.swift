internal import CCurl
package import DbxModel
internal import Synchronization

/// One kept-alive HTTP/1.1 connection: requests one after the other, each blocking the calling thread.
///
/// `@unchecked Sendable`: it may move between threads, but serves one request at a time; a second one at the same time
/// traps. Proxies are taken from the environment (`https_proxy`, `no_proxy`, …, as curl does), but never for loopback.
package final class HTTPConnection: @unchecked Sendable {
    private let handle = CurlHandle()
    private let trust: HTTPTrust
    private let time: any TimeSource
    private let rates: RateLimits?
    private let isBusy = Atomic(false)

    private static let receiveBufferBytes = 256 << 10
    private static let sendBufferBytes = 512 << 10

    /// What becomes of a request that has been silent for `after` without being over.
    package struct SilenceNotice: Sendable {
        var after: Duration
        /// A request whose connection is lost fails with `lost`.
        var lost: LostConnections?
        /// Called on the performing thread, once a silence.
        var notify: @Sendable () -> Void

        package init(after: Duration, lost: LostConnections? = nil, notify: @escaping @Sendable () -> Void) {
            self.after = after
            self.lost = lost
            self.notify = notify
        }
    }

    /// `rates`: shared with other connections.
    package init(trust: HTTPTrust, time: any TimeSource, rates: RateLimits? = nil) {
        self.trust = trust
        self.time = time
        self.rates = rates
    }

    /// Sends the request and receives the answer, of whatever status.
    package func perform(
        _ request: HTTPRequest, into receiver: HTTPReceiver, cancel: CancelToken? = nil, silence: SilenceNotice? = nil
    ) throws(TransportError) -> HTTPResponse {
        precondition(!isBusy.exchange(true, ordering: .acquiring), "a connection serves one request at a time")
        defer { isBusy.store(false, ordering: .releasing) }
        if cancel?.isCancelled == true { throw .cancelled }
        let pace = Pace(rates, isBulk: request.isBulk, isUpload: request.method == .put)
        let transfer = Transfer(receiver, pace: pace)
        try prepare(request, transfer)
        let headers = HeaderList(request)
        unsafe handle.set(CURLOPT_HTTPHEADER, pointer: headers.list)
        let outcome = withBody(of: request) {
            let run = { () -> Outcome in self.run(request.limits, pace, cancel, silence) }
            guard let cancel else { return run() }
            let waker = unsafe Waker(multi: handle.multi)
            return cancel.wakingOnCancel({ waker.wake() }, run)
        }
        // `transfer` and `headers` are pointed to until here.
        return try withExtendedLifetime((transfer, headers)) { () throws(TransportError) -> HTTPResponse in
            try response(outcome, transfer)
        }
    }

    /// The certificate that the server shows, believed or not; nothing is sent to it.
    package func fetchCertificate(of url: String, cancel: CancelToken? = nil) throws(TransportError)
        -> ServerCertificate
    {
        try perform(HTTPRequest(.get, url), certificate: cancel)
    }

    private func perform(
        _ request: HTTPRequest, certificate cancel: CancelToken?
    ) throws(TransportError) -> ServerCertificate {
        precondition(!isBusy.exchange(true, ordering: .acquiring), "a connection serves one request at a time")
        defer { isBusy.store(false, ordering: .releasing) }
        let pace = Pace(nil, isBulk: false)
        let transfer = Transfer(.collect(limitBytes: 0), pace: pace)
        try prepare(request, transfer)
        handle.set(CURLOPT_SSL_VERIFYPEER, 0)
        handle.set(CURLOPT_SSL_VERIFYHOST, 0)
        handle.set(CURLOPT_CERTINFO, 1)
        handle.set(CURLOPT_CONNECT_ONLY, 1)
        let outcome = run(request.limits, pace, cancel, nil)
        _ = try withExtendedLifetime(transfer) { () throws(TransportError) in try response(outcome, transfer) }
        guard let certificate = ServerCertificate(leafOf: handle) else {
            throw TransportError(.tls, "the server showed no certificate")
        }
        return certificate
    }

    // MARK: Options

    private func prepare(_ request: HTTPRequest, _ transfer: Transfer) throws(TransportError) {
        handle.reset()
        handle.set(CURLOPT_NOSIGNAL, 1)
        handle.set(CURLOPT_PROTOCOLS_STR, "http,https")
        handle.set(CURLOPT_FOLLOWLOCATION, 0)
        handle.set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        handle.set(CURLOPT_TCP_NODELAY, 1)
        handle.set(CURLOPT_TCP_KEEPALIVE, 1)
        handle.set(CURLOPT_TCP_KEEPIDLE, 15)
        handle.set(CURLOPT_TCP_KEEPINTVL, 5)
        handle.set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        // With curl's own 16 and 64 KiB a block of 4 MiB costs hundreds of system calls.
        // What is not used of them takes no memory.
        handle.set(CURLOPT_BUFFERSIZE, rates?.down.piece(Self.receiveBufferBytes) ?? Self.receiveBufferBytes)
        handle.set(CURLOPT_UPLOAD_BUFFERSIZE, rates?.up.piece(Self.sendBufferBytes) ?? Self.sendBufferBytes)
        handle.set(CURLOPT_CONNECTTIMEOUT_MS, request.limits.connect.milliseconds)
        handle.set(CURLOPT_TIMEOUT_MS, request.limits.total?.milliseconds ?? 0)
        guard handle.set(CURLOPT_URL, request.url), let origin = Origin(url: request.url) else {
            throw TransportError(.protocol, "not a URL: \(request.url)")
        }
        if origin.isLoopback { handle.set(CURLOPT_PROXY, "") }
        if case .pinned(let pem) = trust {
            // The pinned certificate is the only anchor, so the name in it proves nothing more.
            handle.set(CURLOPT_CAINFO_BLOB, blob: Array(pem.utf8))
            handle.set(CURLOPT_CAPATH, nil)
            handle.set(CURLOPT_SSL_VERIFYHOST, 0)
        }
        for header in request.headers where !HeaderList.isValid(header) {
            throw TransportError(.protocol, "not a header: \(header.name)")
        }
        // The context is a class instance that `perform` keeps alive until the request is over.
        let context = unsafe UnsafeRawPointer(Unmanaged.passUnretained(transfer).toOpaque())
        unsafe handle.set(CURLOPT_HEADERFUNCTION, sink: headerCallback)
        unsafe handle.set(CURLOPT_HEADERDATA, pointer: context)
        unsafe handle.set(CURLOPT_WRITEFUNCTION, sink: bodyCallback)
        unsafe handle.set(CURLOPT_WRITEDATA, pointer: context)
    }

    /// Sets method and body for the time of `run`, which is how long curl points into the body's bytes.
    private func withBody(of request: HTTPRequest, _ run: () -> Outcome) -> Outcome {
        switch request.method {
        case .get:
            return run()
        case .delete:
            handle.set(CURLOPT_CUSTOMREQUEST, request.method.rawValue)
            return run()
        case .post, .put:
            handle.set(CURLOPT_POST, 1)
            handle.set(CURLOPT_CUSTOMREQUEST, request.method.rawValue)
            handle.set(CURLOPT_POSTFIELDSIZE_LARGE, size: request.body.count)
            return unsafe request.body.withUnsafeBytes { bytes in
                // With a size of 0 curl still wants a pointer: without one it asks its read callback.
                if let start = bytes.baseAddress, bytes.count > 0 {
                    unsafe handle.set(CURLOPT_POSTFIELDS, pointer: start)
                    return run()
                }
                return unsafe "".withCString { empty in
                    unsafe handle.set(CURLOPT_POSTFIELDS, pointer: empty)
                    return run()
                }
            }
        }
    }

    // MARK: Running

    private enum Outcome {
        case finished(CURLcode)
        case stopped(TransportError)
    }

    private func run(
        _ limits: HTTPLimits, _ pace: Pace, _ cancel: CancelToken?, _ notice: SilenceNotice?
    ) -> Outcome {
        guard unsafe curl_multi_add_handle(handle.multi, handle.easy) == CURLM_OK else {
            return .stopped(TransportError(.protocol, "libcurl refuses the request"))
        }
        defer { unsafe _ = curl_multi_remove_handle(handle.multi, handle.easy) }
        var watch = SilenceWatch(now: time.monotonic(), limit: limits.silence + limits.connect, notice: notice)
        while true {
            var running: Int32 = 0
            guard unsafe curl_multi_perform(handle.multi, &running) == CURLM_OK else {
                return .stopped(TransportError(.protocol, "libcurl failed"))
            }
            if let code = finishedCode() { return .finished(code) }
            if cancel?.isCancelled == true { return .stopped(.cancelled) }
            let (received, sent) = handle.transferredBytes
            if received + sent > 0 { watch.limit = limits.silence }
            pace.countSent(total: sent)
            if pace.isHeld || pace.mustWait {
                guard keepPace(pace) else { return .stopped(TransportError(.protocol, "libcurl failed")) }
                watch.excuse(now: time.monotonic())
                continue
            }
            switch watch.step(now: time.monotonic(), transferred: received + sent, received: received) {
            case .wait(let time): unsafe _ = curl_multi_poll(handle.multi, nil, 0, Int32(time.milliseconds), nil)
            case .timedOut:
                return .stopped(TransportError(.timeout, "no byte for \(watch.limit.components.seconds) seconds"))
            case .lost: return .stopped(TransportError(.lost, "the connection was lost without a word"))
            }
        }
    }

    /// Holds the request until its turn comes, at most a second at a time; false when curl has failed over it.
    private func keepPace(_ pace: Pace) -> Bool {
        let delay = pace.delay
        if !pace.isHeld, delay > .zero {
            pace.isHeld = true
            guard handle.setPaused(true) else { return false }
        }
        if delay > .zero {
            // A held request has no socket to look at: this waits for the time or for `cancel`.
            unsafe _ = curl_multi_poll(handle.multi, nil, 0, Int32(min(delay, .seconds(1)).milliseconds), nil)
            return true
        }
        pace.isHeld = false
        return handle.setPaused(false)
    }

    private func finishedCode() -> CURLcode? {
        var left: Int32 = 0
        while let message = unsafe curl_multi_info_read(handle.multi, &left) {
            if unsafe message.pointee.msg == CURLMSG_DONE { return unsafe message.pointee.data.result }
        }
        return nil
    }

    private func response(_ outcome: Outcome, _ transfer: Transfer) throws(TransportError) -> HTTPResponse {
        if let failure = transfer.failure { throw failure }
        switch outcome {
        case .stopped(let error): throw error
        case .finished(CURLE_OK): return HTTPResponse(head: transfer.head, body: transfer.takeBody())
        case .finished(let code): throw TransportError(.init(code), handle.message(for: code))
        }
    }
}

/// What wakes a connection's thread; `CancelToken` never calls it after the request has ended.
@safe private struct Waker: @unchecked Sendable {
    /// curl_multi_wakeup(3) is the one call that is allowed from any thread.
    let multi: UnsafeMutableRawPointer

    func wake() { unsafe _ = curl_multi_wakeup(multi) }
}

extension Duration {
    /// Rounded up, at least 1, so that a short limit never means "none".
    var milliseconds: Int {
        let (seconds, attoseconds) = components
        return max(
            1, Int(min(seconds, 1 << 30)) * 1_000 + Int((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000))
    }
}
