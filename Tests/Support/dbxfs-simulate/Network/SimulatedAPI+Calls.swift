import Crypto
import CurlHTTP
import DbxClientAPI
import DbxModel
import DbxServerCore
import DbxSystem
import DbxTestKit
import DbxWire

extension SimulatedAPI {
    func health(cancel: CancelToken?) throws(APIError) {
        let call = Call(name: "health", cancel: cancel, silence: .seconds(3), mayBeSilent: true)
        try send(call) { _ in }
    }

    func login(_ request: LoginRequest) throws(APIError) -> LoginResponse {
        try send(Call(name: "login", isRepeatable: false)) { try $0.login(request, address: "simulation") }
    }

    func logout() throws(APIError) {
        try send(Call(name: "logout")) { [self] in try $0.logout(caller($0)) }
    }

    func devices() throws(APIError) -> [DeviceRow] {
        try send(Call(name: "devices")) { [self] in try $0.devices(caller($0)) }
    }

    func revoke(_ device: DeviceID) throws(APIError) {
        try send(Call(name: "revoke")) { [self] in try $0.revokeDevice(caller($0), device: device) }
    }

    func session(cancel: CancelToken?) throws(APIError) -> SessionResponse {
        try decoded(send(Call(name: "session", cancel: cancel)) { [self] in try $0.session(caller($0)) }).0
    }

    // MARK: The tree

    func changes(
        in namespace: NamespaceID, after cursor: String?, limit: Int, cancel: CancelToken?
    ) throws(APIError) -> ReceivedPage {
        // Small pages: an interrupted pull is then nothing rare.
        let limit = min(limit, 3 + link.entropy.number(below: 40))
        let page = try send(Call(name: "changes after \(cursor ?? "-")", cancel: cancel)) { [self] server in
            try server.changes(caller(server), namespace: namespace, cursor: cursor, limit: limit)
        }
        let (received, body) = try decoded(planted?.change(page) ?? page)
        if received.rowCount > 0 { trace.note("\(name) gets \(String(decoding: body, as: UTF8.self))") }
        return ReceivedPage(page: received, body: body)
    }

    func commit(in namespace: NamespaceID, body: [UInt8], cancel: CancelToken?) throws(APIError) -> CommitResult {
        host.commitRequests += 1
        return try send(Call(name: "commit", cancel: cancel, silence: .seconds(60))) { [self] server in
            let request = try CommitRequest(body: body)
            trace.note("\(name) commit \(String(decoding: (try? WireJSON.encode(request)) ?? [], as: UTF8.self))")
            return try server.commit(
                SubmittedCommit(
                    caller: caller(server), namespace: namespace, request: request,
                    digest: Array(SHA256.hash(data: body))))
        }
    }

    func listing(
        in namespace: NamespaceID, of directory: NodeID, _ request: ListingRequest, cancel: CancelToken?
    ) throws(APIError) -> ListingPage {
        let query = ListingQuery(
            after: request.after, limit: min(request.limit, 1 + link.entropy.number(below: 6)),
            cursor: request.cursor, content: request.content)
        let (page, body) = try decoded(
            send(Call(name: "listing", cancel: cancel)) { [self] in
                try $0.listing(caller($0), namespace: namespace, node: directory, query)
            })
        trace.note("\(name) lists \(String(decoding: body, as: UTF8.self))")
        return page
    }

    func nodes(
        _ ids: [NodeID], in namespace: NamespaceID, cursor: String?, cancel: CancelToken?
    ) throws(APIError) -> NodesPage {
        let (page, body) = try decoded(
            send(Call(name: "nodes", cancel: cancel)) { [self] in
                try $0.nodes(caller($0), namespace: namespace, ids: ids, cursor: cursor)
            })
        trace.note("\(name) asked for \(String(decoding: body, as: UTF8.self))")
        return page
    }

    // MARK: Blocks

    func requestUploads(
        in namespace: NamespaceID, _ blocks: [OfferedBlock], cancel: CancelToken?
    ) throws(APIError) -> [UploadGrant] {
        try send(Call(name: "uploads", cancel: cancel)) { [self] in
            try $0.requestUploads(caller($0), namespace: namespace, UploadRequest(blocks: blocks)).grants
        }
    }

    func storePack(
        in namespace: NamespaceID, _ blocks: [[UInt8]], cancel: CancelToken?
    ) throws(APIError) -> [Bool] {
        let body = blocks.flatMap { BlockFrame.header(length: $0.count) + $0 }
        return try send(Call(name: "pack", cancel: cancel)) { [self] in
            try $0.storePack(caller($0), namespace: namespace, body).stored
        }
    }

    func putUpload(_ upload: SignedUpload, bytes: [UInt8], cancel: CancelToken?) throws(APIError) {
        let parts = upload.url.split(separator: "?", maxSplits: 1)
        let query = (parts.count > 1 ? parts[1] : "").split(separator: "&").map {
            $0.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        }
        guard let id = UploadID(hex: String(parts[0].split(separator: "/").last ?? "")) else {
            throw APIError(.garbage("the server wants blocks sent to “\(upload.url)”"))
        }
        let incoming = IncomingUpload(
            method: "PUT", upload: id,
            query: Dictionary(query.map { (String($0[0]), String($0[1])) }) { first, _ in first },
            headers: Dictionary(upload.headers.map { ($0.key.lowercased(), $0.value) }) { first, _ in first },
            contentLength: Int64(bytes.count))
        try send(Call(name: "upload", cancel: cancel)) { server in
            let receiver = try server.beginUpload(incoming)
            try receiver.receive(bytes.span.bytes)
            try server.confirm([try receiver.store()])[0].get()
        }
    }

    func block(
        _ block: BlockID, in namespace: NamespaceID, storedBytes: Int64, cancel: CancelToken?
    ) throws(APIError) -> [UInt8] {
        try blockRange(0..<Int(storedBytes), of: block, in: namespace, storedBytes: storedBytes, cancel: cancel)
    }

    func blockRange(
        _ range: Range<Int>, of block: BlockID, in namespace: NamespaceID, storedBytes: Int64, cancel: CancelToken?
    ) throws(APIError) -> [UInt8] {
        let bytes = try send(Call(name: "block", cancel: cancel)) { [self] server -> [UInt8]? in
            let stored = try server.readBlock(caller(server), namespace: namespace, block: block)
            guard stored.bytes == storedBytes else { return nil }
            var bytes = [UInt8](repeating: 0, count: range.count)
            try bytes.withUnsafeMutableBytes { try stored.read(into: $0, offset: Int64(range.lowerBound)) }
            return bytes
        }
        guard let bytes else { throw APIError(.garbage("a block of another length")) }
        return bytes
    }

    func blocks(
        _ blocks: [WantedBlock], in namespace: NamespaceID, cancel: CancelToken?,
        receive: (Int, [UInt8]?) -> Void
    ) throws(APIError) {
        let answers = try send(Call(name: "blocks", cancel: cancel)) { [self] server in
            let found = try server.readBlocks(
                caller(server), namespace: namespace, BlocksRequest(blocks: blocks.map(\.id)))
            return (0..<found.count).map { found.bytes(at: $0) }
        }
        for (index, bytes) in answers.enumerated() { receive(index, bytes) }
    }

    // MARK: Events

    func events(cancel: CancelToken?, receive: (StreamedEvent) -> Bool) throws(APIError) {
        let mailbox = EventMailbox()
        let call = Call(name: "events", cancel: cancel, silence: .seconds(45), mayBeSilent: true, isRepeatable: false)
        let (subscription, heads, life) = try send(call) { [self] server in
            let caller = try caller(server)
            let subscription = try server.subscribe(caller) { mailbox.put($0) }
            return (subscription, try server.heads(caller, after: nil), host.life)
        }
        defer { subscription.cancel() }
        guard receive(.opened), heads.allSatisfy({ receive(.change($0)) }) else { return }
        var lastBeat = Duration.zero
        while true {
            let event = mailbox.next(cancel)
            try wait(link.delay, cancel)
            guard life == host.life, link.condition != .down, link.condition != .portal else {
                throw APIError(.transport(TransportError(.unreachable, "the stream broke")))
            }
            if link.condition == .blackHole {
                try wait(.seconds(45), cancel)
                throw APIError(.transport(TransportError(.timeout, "45 seconds without a byte")))
            }
            switch event {
            case .change(let notice): if !receive(.change(notice)) { return }
            case .ended: return
            case nil:
                let now = SystemTime().monotonic()
                if now - lastBeat >= .seconds(20) {
                    lastBeat = now
                    if !receive(.heartbeat) { return }
                }
            }
        }
    }

    func poll(after: [NamespaceID: Seq], timeoutSeconds: Int, cancel: CancelToken?) throws(APIError) -> PollResponse {
        let position = after.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value)" }.joined(separator: ",")
        let end = SystemTime().monotonic() + .seconds(timeoutSeconds)
        let heads = { [self] (server: Server) in
            try server.heads(caller(server), after: position.isEmpty ? nil : position)
        }
        // One request, however often the server looks.
        while case .success(let changes) = try? host.perform(heads), changes.isEmpty, SystemTime().monotonic() < end {
            try wait(.seconds(1), cancel)
        }
        let call = Call(name: "poll", cancel: cancel, silence: .seconds(15), mayBeSilent: true)
        return PollResponse(changes: try send(call, heads))
    }
}

extension ChangesPage {
    fileprivate var rowCount: Int { nodes.count + entries.count + segments.count }
}

/// What the server has told a stream and nobody has read.
private final class EventMailbox: Sendable {
    private let events = Monitor<[EventHub.Event]>([])

    func put(_ event: EventHub.Event) { events.update { $0.append(event) } }

    /// The next event; nil after a while without.
    func next(_ cancel: CancelToken?) -> EventHub.Event? {
        let take: () -> EventHub.Event? = { [events] in
            let found = events.wait(timeout: .seconds(5)) { events -> EventHub.Event?? in
                if cancel?.isCancelled == true { return .some(nil) }
                if events.isEmpty { return .none }
                return events.removeFirst()
            }
            return found ?? nil
        }
        guard let cancel else { return take() }
        return cancel.wakingOnCancel({ [events] in events.update { _ in } }, take)
    }
}
