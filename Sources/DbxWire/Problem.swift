package import DbxModel

/// RFC 9457 problem details: the body of every answer with a status of 400 or more.
package struct Problem: Hashable, Sendable, Codable, Error {
    /// `urn:dbxfs:problem:` and one of `ProblemKind`.
    package var type: String
    package var title: String
    package var status: Int
    /// What to do next, for a person.
    package var detail: String
    /// With `conflict`: the current rows of what did not match its base.
    package var nodes: [NodeRow]?
    package var entries: [EntryRow]?
    /// With `missing-blocks`.
    package var missing: [BlockID]?
    /// With `cursor-gone`: up to here the server's history is the cursor's. Without it, it may be another one.
    package var common: Seq?
    /// With `common`: the server's data were damaged since, and what it does not have may be lost.
    package var mended: Bool?

    package init(
        kind: ProblemKind, detail: String, nodes: [NodeRow]? = nil, entries: [EntryRow]? = nil,
        missing: [BlockID]? = nil
    ) {
        type = "urn:dbxfs:problem:" + kind.rawValue
        title = kind.title
        status = kind.status
        self.detail = detail
        self.nodes = nodes
        self.entries = entries
        self.missing = missing
    }

    /// Nil for a type that this version does not know.
    package var kind: ProblemKind? {
        let prefix = "urn:dbxfs:problem:"
        return type.hasPrefix(prefix) ? ProblemKind(rawValue: String(type.dropFirst(prefix.count))) : nil
    }
}

package enum ProblemKind: String, Hashable, Sendable, CaseIterable {
    case badRequest = "bad-request"
    case unauthenticated
    case forbidden
    case notFound = "not-found"
    case methodNotAllowed = "method-not-allowed"
    /// 409 of a commit: a base is not current. `nodes` and `entries` hold the current rows.
    case conflict
    /// 409 of a commit: the server does not have (or may not use) the blocks in `missing`.
    case missingBlocks = "missing-blocks"
    /// 422 of a commit: applied, it would break an invariant of the tree.
    case invalidTree = "invalid-tree"
    case commitIDReused = "commit-id-reused"
    /// 410: the cursor is older than the tombstones that are kept, or from another epoch: list again.
    case cursorGone = "cursor-gone"
    case payloadTooLarge = "payload-too-large"
    case quotaExceeded = "quota-exceeded"
    case tooManyRequests = "too-many-requests"
    case unavailable
    case storageFull = "storage-full"
    /// 422: what the server has of it cannot be read; trying again does not help.
    case damagedData = "damaged-data"
    case `internal`

    package var status: Int {
        switch self {
        case .badRequest: 400
        case .unauthenticated: 401
        case .forbidden: 403
        case .notFound: 404
        case .methodNotAllowed: 405
        case .conflict, .missingBlocks, .commitIDReused: 409
        case .cursorGone: 410
        case .payloadTooLarge: 413
        case .invalidTree, .damagedData: 422
        case .quotaExceeded: 403
        case .tooManyRequests: 429
        case .internal: 500
        case .unavailable: 503
        case .storageFull: 507
        }
    }

    package var title: String {
        switch self {
        case .badRequest: "The request is malformed"
        case .unauthenticated: "Not logged in"
        case .forbidden: "Not allowed"
        case .notFound: "Not found"
        case .methodNotAllowed: "Method not allowed"
        case .conflict: "Something here has changed meanwhile"
        case .missingBlocks: "Blocks are missing"
        case .invalidTree: "The change would break the tree"
        case .commitIDReused: "The commit id was used for another body"
        case .cursorGone: "The cursor is too old"
        case .payloadTooLarge: "The request is too large"
        case .quotaExceeded: "The quota is used up"
        case .tooManyRequests: "Too many requests"
        case .unavailable: "The server is not ready"
        case .damagedData: "The server's data of this are damaged"
        case .storageFull: "The server's storage is full"
        case .internal: "The server failed"
        }
    }
}
