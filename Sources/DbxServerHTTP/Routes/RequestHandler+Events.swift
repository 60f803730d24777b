import DbxModel
import DbxServerCore
import DbxWire
import HTTPTypes
import HummingbirdCore
import NIOCore

/// Notices of changes: server-sent events, and the long poll for where they do not get through.
extension RequestHandler {
    static let heartbeat: Duration = .seconds(20)
    private static let pollSeconds = 0...55

    @concurrent func events(_ exchange: Exchange) async throws -> Response {
        _ = try exchange.query()
        let (registration, heads) = try await listen(exchange, after: nil)
        var headers = HTTPFields()
        headers[.contentType] = "text/event-stream"
        headers[.cacheControl] = "private, no-cache"
        // nginx would otherwise keep events back until its buffer is full.
        headers[HTTPField.Name("X-Accel-Buffering")!] = "no"
        let (request, eventLoop) = (exchange.request, exchange.channel.eventLoop)
        return Response(
            status: .ok, headers: headers,
            body: ResponseBody { writer in
                try await writer.write(Self.encode(heads, retry: true))
                try await request.body.consumeWithInboundCloseHandler { _ in
                    try await Self.stream(registration.mailbox, to: &writer, on: eventLoop)
                } onInboundClosed: {
                    registration.mailbox.end()
                }
                try await writer.finish(nil)
            })
    }

    /// Writes notices as they come and a comment when none came, until it is over.
    @concurrent private static func stream(
        _ mailbox: EventMailbox, to writer: inout any ResponseBodyWriter, on eventLoop: any EventLoop
    ) async throws {
        while true {
            switch await mailbox.next(within: heartbeat, on: eventLoop) {
            case .notices(let notices): try await writer.write(encode(notices))
            case .quiet: try await writer.write(ByteBuffer(string: ": still here\n\n"))
            case .ended: return
            }
        }
    }

    private static func encode(_ notices: [ChangeNotice], retry: Bool = false) throws -> ByteBuffer {
        var text = retry ? "retry: 2000\n\n" : ""
        for notice in notices {
            let data = String(decoding: try WireJSON.encode(notice), as: UTF8.self)
            text += "event: change\nid: \(EventPosition(notice).text)\ndata: \(data)\n\n"
        }
        return ByteBuffer(string: text)
    }

    @concurrent func pollEvents(_ exchange: Exchange) async throws -> Response {
        let query = try exchange.query("after", "timeout")
        let seconds = try query.number("timeout", in: Self.pollSeconds) ?? 50
        let (registration, heads) = try await listen(exchange, after: query["after"])
        if !heads.isEmpty { return try Answers.json(PollResponse(changes: heads)) }
        let wake = await registration.mailbox.next(within: .seconds(seconds), on: exchange.channel.eventLoop)
        if case .notices(let notices) = wake { return try Answers.json(PollResponse(changes: notices)) }
        return try Answers.json(PollResponse(changes: []))
    }

    /// Subscribes first and asks for the heads then, so that no commit falls between.
    @concurrent private func listen(
        _ exchange: Exchange, after: String?
    ) async throws -> (ListenerRegistry.Registration, [ChangeNotice]) {
        let listeners = listeners
        return try await authenticated(exchange) { server, caller in
            let registration = try listeners.register(caller)
            try registration.subscribe(to: server)
            return (registration, try server.heads(caller, after: after))
        }
    }
}
