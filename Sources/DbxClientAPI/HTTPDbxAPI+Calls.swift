package import CurlHTTP
package import DbxModel
package import DbxWire

extension HTTPDbxAPI: DbxAPI {
    private static let maximumPageBytes = 256 << 20

    package func health(cancel: CancelToken?) throws(APIError) {
        var call = Call(method: .get, url: url(.health))
        call.sendsToken = false
        call.isFresh = true
        call.limits = HTTPLimits(connect: .seconds(3), silence: .seconds(3), total: .seconds(3))
        _ = try send(call, cancel: cancel)
        answeredAnew()
    }

    // MARK: Accounts

    package func login(_ request: LoginRequest) throws(APIError) -> LoginResponse {
        var call = try post(.login, body: request)
        call.sendsToken = false
        call.limits = HTTPLimits(total: .seconds(60))
        return try decode(LoginResponse.self, from: send(call, cancel: nil))
    }

    package func logout() throws(APIError) {
        _ = try send(Call(method: .post, url: url(.logout), limits: HTTPLimits(total: .seconds(30))), cancel: nil)
    }

    package func devices() throws(APIError) -> [DeviceRow] {
        let call = Call(method: .get, url: url(.devices), limitBytes: 16 << 20)
        return try decode([DeviceRow].self, from: send(call, cancel: nil))
    }

    package func revoke(_ device: DeviceID) throws(APIError) {
        _ = try send(Call(method: .delete, url: url(.device, ["device": device.hex])), cancel: nil)
    }

    package func session(cancel: CancelToken?) throws(APIError) -> SessionResponse {
        let call = Call(method: .get, url: url(.session), limitBytes: 64 << 20)
        return try decode(SessionResponse.self, from: send(call, cancel: cancel))
    }

    // MARK: The tree

    package func changes(
        in namespace: NamespaceID, after cursor: String?, limit: Int, cancel: CancelToken?
    ) throws(APIError) -> ReceivedPage {
        let query = cursor.map { [("cursor", $0)] } ?? []
        let url = url(.changes, ["namespace": namespace.hex], query: query + [("limit", String(limit))])
        let response = try send(
            Call(method: .get, url: url, limitBytes: Self.maximumPageBytes, isCompressed: true), cancel: cancel)
        return ReceivedPage(page: try decode(ChangesPage.self, from: response), body: response.body)
    }

    package func commit(
        in namespace: NamespaceID, body: [UInt8], cancel: CancelToken?
    ) throws(APIError) -> CommitResult {
        var call = Call(method: .post, url: url(.commits, ["namespace": namespace.hex]), body: body)
        call.contentType = PackedCommit.isPacked(body) ? PackedCommit.mediaType : "application/json"
        call.isCompressed = true
        // A commit of thousands of rows may take the server a while.
        call.limits = HTTPLimits(silence: .seconds(60))
        return try decode(CommitResult.self, from: send(call, cancel: cancel))
    }

    package func listing(
        in namespace: NamespaceID, of directory: NodeID, _ request: ListingRequest, cancel: CancelToken?
    ) throws(APIError) -> ListingPage {
        var query = [("limit", String(request.limit))]
        if let after = request.after { query.append(("after", after)) }
        if let cursor = request.cursor { query.append(("cursor", cursor)) }
        if request.content { query.append(("content", "true")) }
        let url = url(.listing, ["namespace": namespace.hex, "node": directory.hex], query: query)
        var call = Call(method: .get, url: url, limitBytes: Self.maximumPageBytes, isCompressed: true)
        call.accept = [PackedListing.mediaType, "application/json"]
        let response = try send(call, cancel: cancel)
        // Servers that do not know the packed form answer with JSON.
        guard response.head.mediaType == PackedListing.mediaType else {
            return try decode(ListingPage.self, from: response)
        }
        do throws(MalformedPacking) {
            return try PackedListing.decode(response.body)
        } catch {
            throw APIError(.garbage("the server's answer is no packed listing"))
        }
    }

    package func nodes(
        _ ids: [NodeID], in namespace: NamespaceID, cursor: String?, cancel: CancelToken?
    ) throws(APIError) -> NodesPage {
        let query = [("ids", ids.map(\.hex).joined(separator: ","))] + (cursor.map { [("cursor", $0)] } ?? [])
        let url = url(.nodes, ["namespace": namespace.hex], query: query)
        let call = Call(method: .get, url: url, limitBytes: Self.maximumPageBytes)
        return try decode(NodesPage.self, from: send(call, cancel: cancel))
    }

    // MARK: Blocks

    package func requestUploads(
        in namespace: NamespaceID, _ blocks: [OfferedBlock], cancel: CancelToken?
    ) throws(APIError) -> [UploadGrant] {
        var call = try post(.uploads, ["namespace": namespace.hex], body: UploadRequest(blocks: blocks))
        call.limitBytes = 16 << 20
        call.isCompressed = true
        let grants = try decode(UploadResponse.self, from: send(call, cancel: cancel)).grants
        guard grants.map(\.id) == blocks.map(\.id) else {
            throw APIError(.garbage("the server grants other uploads than were asked for"))
        }
        return grants
    }

    package func storePack(
        in namespace: NamespaceID, _ blocks: [[UInt8]], cancel: CancelToken?
    ) throws(APIError) -> [Bool] {
        var body: [UInt8] = []
        body.reserveCapacity(blocks.reduce(0) { $0 + BlockFrame.headerBytes + $1.count })
        for block in blocks {
            body += BlockFrame.header(length: block.count)
            body += block
        }
        var call = Call(method: .post, url: url(.packs, ["namespace": namespace.hex]), body: body)
        call.contentType = "application/octet-stream"
        call.limits = HTTPLimits(silence: .seconds(30))
        call.isBulk = true
        let stored = try decode(PackResponse.self, from: send(call, cancel: cancel)).stored
        guard stored.count == blocks.count else {
            throw APIError(.garbage("the server answers for other blocks than were sent"))
        }
        return stored
    }

    package func putUpload(_ upload: SignedUpload, bytes: [UInt8], cancel: CancelToken?) throws(APIError) {
        guard let target = endpoint.resolve(upload.url) else {
            throw APIError(.garbage("the server wants blocks sent to “\(upload.url)”"))
        }
        var call = Call(method: .put, url: target.url, body: bytes)
        call.isForeign = target.origin != endpoint.origin
        call.sendsToken = false
        call.extraHeaders = upload.headers.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
            .filter { $0.name.lowercased() != "content-length" && $0.name.lowercased() != "host" }
        call.limits = HTTPLimits(silence: .seconds(30))
        call.isBulk = true
        _ = try send(call, cancel: cancel)
    }

    package func block(
        _ block: BlockID, in namespace: NamespaceID, storedBytes: Int64, cancel: CancelToken?
    ) throws(APIError) -> [UInt8] {
        let response = try send(blockCall(block, in: namespace, storedBytes: storedBytes), cancel: cancel)
        return try Self.wholeBlock(response, storedBytes: storedBytes)
    }

    package func blockRange(
        _ range: Range<Int>, of block: BlockID, in namespace: NamespaceID, storedBytes: Int64, cancel: CancelToken?
    ) throws(APIError) -> [UInt8] {
        let bytes = "\(range.lowerBound)-\(range.upperBound - 1)"
        var call = blockCall(block, in: namespace, storedBytes: storedBytes)
        call.extraHeaders = [("Range", "bytes=\(bytes)")]
        let response = try send(call, cancel: cancel)
        // Whoever stands in between may not know ranges.
        guard response.status == 206 else {
            return Array(try Self.wholeBlock(response, storedBytes: storedBytes)[range])
        }
        let said = response.head.headers["content-range"]
        guard said == "bytes \(bytes)/\(storedBytes)", response.body.count == range.count else {
            throw APIError(
                .garbage("the server sent \(response.body.count) bytes (\(said ?? "unnamed")) for bytes \(bytes)"))
        }
        return response.body
    }

    private func blockCall(_ block: BlockID, in namespace: NamespaceID, storedBytes: Int64) -> Call {
        var call = Call(method: .get, url: url(.block, ["namespace": namespace.hex, "block": block.hex]))
        call.accept = ["application/octet-stream"]
        call.limitBytes = Int(storedBytes)
        call.isBulk = true
        return call
    }

    private static func wholeBlock(_ response: HTTPResponse, storedBytes: Int64) throws(APIError) -> [UInt8] {
        guard response.status == 200, response.body.count == Int(storedBytes) else {
            throw APIError(
                .garbage("the server sent \(response.body.count) bytes of a block of \(storedBytes)"))
        }
        return response.body
    }

    package func blocks(
        _ blocks: [WantedBlock], in namespace: NamespaceID, cancel: CancelToken?,
        receive: (Int, [UInt8]?) -> Void
    ) throws(APIError) {
        var call = try post(.blocks, ["namespace": namespace.hex], body: BlocksRequest(blocks: blocks.map(\.id)))
        call.accept = ["application/octet-stream"]
        call.isBulk = true
        var parser = BlockFrameParser(lengths: blocks.map { Int($0.storedBytes) })
        var garbage: APIError?
        do throws(APIError) {
            _ = try withoutActuallyEscaping(receive) { receive throws(APIError) in
                try send(
                    call,
                    into: .stream { head, bytes in
                        do {
                            guard head.mediaType == "application/octet-stream" else { throw BlocksGarbage.mediaType }
                            try parser.receive(bytes, take: receive)
                            return true
                        } catch {
                            garbage = APIError(.garbage("the server's answer is no list of blocks: \(error)"))
                            return false
                        }
                    }, cancel: cancel)
            }
        } catch {
            throw garbage ?? error
        }
        guard parser.isComplete else { throw APIError(.garbage("the server sent fewer blocks than were asked for")) }
    }

    private enum BlocksGarbage: Error { case mediaType }

    // MARK: Events

    package func events(cancel: CancelToken?, receive: (StreamedEvent) -> Bool) throws(APIError) {
        var call = Call(method: .get, url: url(.events))
        call.accept = ["text/event-stream"]
        call.mayBeSilent = true
        // The server says something every 20 s.
        call.limits = HTTPLimits(silence: .seconds(30))
        var stream = EventDecoder()
        var endedHere = false
        do throws(APIError) {
            _ = try withoutActuallyEscaping(receive) { receive throws(APIError) in
                try send(
                    call,
                    into: .stream { head, bytes in
                        let goesOn = stream.receive(bytes, head: head, receive)
                        endedHere = !goesOn
                        return goesOn
                    }, cancel: cancel)
            }
        } catch {
            if let garbage = stream.failure { throw garbage }
            if endedHere, cancel?.isCancelled != true { return }
            throw error
        }
    }

    package func poll(after: [NamespaceID: Seq], timeoutSeconds: Int, cancel: CancelToken?) throws(APIError)
        -> PollResponse
    {
        let heads = after.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value)" }.joined(separator: ",")
        let query = (heads.isEmpty ? [] : [("after", heads)]) + [("timeout", String(timeoutSeconds))]
        var call = Call(method: .get, url: url(.eventsPoll, query: query), limitBytes: 16 << 20)
        call.mayBeSilent = true
        call.limits = HTTPLimits(silence: .seconds(timeoutSeconds + 15))
        return try decode(PollResponse.self, from: send(call, cancel: cancel))
    }

    private func post(
        _ route: Route, _ parameters: [String: String] = [:], body: some Encodable
    ) throws(APIError) -> Call {
        var call = Call(method: .post, url: url(route, parameters), body: try encode(body))
        call.contentType = "application/json"
        return call
    }
}

/// From the bytes of the event stream to what they say.
private struct EventDecoder {
    private var parser = ServerSentEvents()
    private var isOpen = false
    private(set) var failure: APIError?

    mutating func receive(_ bytes: [UInt8], head: HTTPHead, _ receive: (StreamedEvent) -> Bool) -> Bool {
        if !isOpen {
            guard head.mediaType == "text/event-stream" else {
                failure = APIError(.garbage("the event stream came as \(head.mediaType ?? "no media type")"))
                return false
            }
            isOpen = true
            guard receive(.opened) else { return false }
        }
        do {
            return try parser.receive(bytes).allSatisfy { receive(try Self.event($0)) }
        } catch {
            failure = APIError(.garbage("the event stream makes no sense: \(error)"))
            return false
        }
    }

    private static func event(_ item: ServerSentEvents.Item) throws -> StreamedEvent {
        guard case .event("change", let data) = item else { return .heartbeat }
        return .change(try WireJSON.decode(ChangeNotice.self, from: Array(data.utf8)))
    }
}
