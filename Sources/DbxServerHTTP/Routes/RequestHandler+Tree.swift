import Crypto
import DbxModel
import DbxServerCore
import DbxWire
import HummingbirdCore
import NIOCore

/// The tree: what changed, what a directory holds, what a file was, and how to change them.
extension RequestHandler {
    private static let pageLimits = 1...10_000

    @concurrent func changes(_ exchange: Exchange) async throws -> Response {
        let query = try exchange.query("cursor", "limit")
        let limit = try query.number("limit", in: Self.pageLimits)
        let namespace: NamespaceID = try exchange.identifier("namespace")
        return try await answering(exchange) { server, caller in
            try server.changes(caller, namespace: namespace, cursor: query["cursor"], limit: limit)
        }
    }

    /// The body is decoded and digested on the pool, and applied by the commit thread.
    @concurrent func commit(_ exchange: Exchange) async throws -> Response {
        _ = try exchange.query()
        let namespace: NamespaceID = try exchange.identifier("namespace")
        let body = try await authenticatedBody(exchange)
        let isPacked = exchange.hasBody(of: PackedCommit.mediaType)
        let commit = try await authenticated(exchange) { _, caller in
            let bytes = try body.bytes()
            return SubmittedCommit(
                caller: caller, namespace: namespace,
                request: isPacked ? try Self.unpack(bytes) : try RequestJSON.decode(CommitRequest.self, from: bytes),
                digest: Array(SHA256.hash(data: bytes)))
        }
        return try Answers.json(try await commits.submit(commit))
    }

    private static func unpack(_ body: [UInt8]) throws(Problem) -> CommitRequest {
        do throws(MalformedPacking) {
            return try PackedCommit.decode(body)
        } catch {
            throw Problem(kind: .badRequest, detail: "The body is no packed commit.")
        }
    }

    @concurrent func listDirectory(_ exchange: Exchange) async throws -> Response {
        let query = try exchange.query("after", "limit", "cursor", "content")
        let wanted = ListingQuery(
            after: query["after"], limit: try query.number("limit", in: Self.pageLimits), cursor: query["cursor"],
            content: try query.flag("content"))
        let namespace: NamespaceID = try exchange.identifier("namespace")
        let node: NodeID = try exchange.identifier("node")
        let coding = exchange.acceptsZstd ? coding : nil
        let isPacked = exchange.accepts(PackedListing.mediaType)
        return try await authenticated(exchange) { server, caller in
            let page = try server.listing(caller, namespace: namespace, node: node, wanted)
            guard isPacked, let packed = PackedListing.encode(page) else {
                return try Answers.json(page, coding: coding)
            }
            return Answers.bytes(packed, PackedListing.mediaType, coding: coding)
        }
    }

    @concurrent func readNodes(_ exchange: Exchange) async throws -> Response {
        let query = try exchange.query("ids", "cursor")
        let ids = try (query["ids"] ?? "").split(separator: ",").map { text throws(Problem) in
            guard let id = NodeID(hex: String(text)) else {
                throw Problem(kind: .badRequest, detail: "'ids' are ids of 32 hexadecimal digits, with commas between.")
            }
            return id
        }
        let namespace: NamespaceID = try exchange.identifier("namespace")
        return try await answering(exchange) { server, caller in
            try server.nodes(caller, namespace: namespace, ids: ids, cursor: query["cursor"])
        }
    }

    @concurrent func listRevisions(_ exchange: Exchange) async throws -> Response {
        let query = try exchange.query("before", "limit")
        let limit = try query.number("limit", in: Self.pageLimits)
        let before = try query.number("before", in: 0...Int.max).map { Seq(Int64($0)) }
        let namespace: NamespaceID = try exchange.identifier("namespace")
        let node: NodeID = try exchange.identifier("node")
        return try await answering(exchange) { server, caller in
            try server.revisions(caller, namespace: namespace, node: node, before: before, limit: limit)
        }
    }
}
