package import DbxModel
import DbxServerStores
package import DbxWire

extension Server {
    private static let pageLimit = 1_000
    private static let maximumPageLimit = 5_000

    /// One page of at most about `limit` rows (server's choice when nil) behind `cursor`.
    package func changes(
        _ caller: Caller, namespace: NamespaceID, cursor: String?, limit: Int?
    ) throws(Problem) -> ChangesPage {
        try answering {
            let limit = try Self.checkedLimit(limit)
            return try metadata.read { rows in
                try AccessPolicy.check(caller, .read, in: namespace, rows)
                let reader = ChangesReader(rows: rows, namespace: try record(of: namespace, rows), signer: cursorSigner)
                return try reader.page(after: cursor, limit: limit)
            }
        }
    }

    /// With `content` the pages are shorter where the files are many or large.
    package func listing(
        _ caller: Caller, namespace: NamespaceID, node: NodeID, _ query: ListingQuery
    ) throws(Problem) -> ListingPage {
        try answering {
            let limit = try Self.checkedLimit(query.limit)
            let last = try query.after.map { text in
                guard let bytes = Base64URL.decode(text), let name = Name(bytes) else {
                    throw Problem.badRequest("'after' is not what the page before gave.")
                }
                return name
            }
            return try metadata.read { rows in
                try AccessPolicy.check(caller, .read, in: namespace, rows)
                let reader = ChangesReader(rows: rows, namespace: try record(of: namespace, rows), signer: cursorSigner)
                _ = try query.cursor.map(reader.checked)
                return try reader.listing(of: node, after: last, limit: limit, content: query.content)
            }
        }
    }

    package func nodes(
        _ caller: Caller, namespace: NamespaceID, ids: [NodeID], cursor: String?
    ) throws(Problem) -> NodesPage {
        try answering {
            guard !ids.isEmpty, ids.count <= NodesPage.maximumIDs else {
                throw Problem.badRequest("'ids' names 1 to \(NodesPage.maximumIDs) nodes.")
            }
            return try metadata.read { rows in
                try AccessPolicy.check(caller, .read, in: namespace, rows)
                let reader = ChangesReader(rows: rows, namespace: try record(of: namespace, rows), signer: cursorSigner)
                _ = try cursor.map(reader.checked)
                return try reader.nodes(ids)
            }
        }
    }

    package func revisions(
        _ caller: Caller, namespace: NamespaceID, node: NodeID, before: Seq?, limit: Int?
    ) throws(Problem) -> RevisionsPage {
        try answering {
            let limit = try Self.checkedLimit(limit)
            return try metadata.read { rows in
                try AccessPolicy.check(caller, .read, in: namespace, rows)
                guard let record = try rows.node(node, in: namespace), record.kind == .file else {
                    throw Problem(kind: .notFound, detail: "There is no such file.")
                }
                let found = try rows.revisions(
                    of: node, before: before ?? Seq(.max), limit: limit + 1, in: namespace)
                let page = found.prefix(limit).map { RevisionRow($0.revision, deviceName: $0.deviceName) }
                return RevisionsPage(revisions: page, next: found.count > limit ? page.last?.seq : nil)
            }
        }
    }

    package func quota(_ caller: Caller, namespace: NamespaceID) throws(Problem) -> Quota {
        try answering {
            try metadata.read { rows in
                try AccessPolicy.check(caller, .read, in: namespace, rows)
                return Quota(try record(of: namespace, rows))
            }
        }
    }

    /// For the long poll: the heads of the caller's namespaces that have moved since `after` (an `EventPosition`'s
    /// text; all of them when nil).
    package func heads(_ caller: Caller, after: String?) throws(Problem) -> [ChangeNotice] {
        try answering {
            let position = try after.map { text in
                guard let position = EventPosition(text: text) else {
                    throw Problem.badRequest("'after' is no position: namespace:seq, several joined by commas.")
                }
                return position
            }
            return try metadata.read { rows in
                try AccessPolicy.check(caller, rows)
                return try rows.heads(of: caller.user).map(ChangeNotice.init).filter { notice in
                    notice.seq > position?.heads[notice.namespace] ?? .zero
                }
            }
        }
    }

    /// Notices of the caller's namespaces from now on. Subscribe first, then ask `heads`, and nothing is missed.
    package func subscribe(
        _ caller: Caller, _ receive: @escaping @Sendable (EventHub.Event) -> Void
    ) throws(Problem) -> EventSubscription {
        try answering {
            let namespaces = try metadata.read { rows in
                try AccessPolicy.check(caller, rows)
                return try rows.memberships(of: caller.user).map(\.namespace)
            }
            return events.subscribe(device: caller.device, namespaces: namespaces, receive)
        }
    }

    private func record(of namespace: NamespaceID, _ rows: any MetadataTransaction) throws -> NamespaceRecord {
        guard let record = try rows.namespace(namespace) else {
            throw StoreError.corrupt("namespace \(namespace) has members and no row")
        }
        return record
    }

    private static func checkedLimit(_ limit: Int?) throws -> Int {
        guard let limit else { return pageLimit }
        guard limit > 0 else { throw Problem.badRequest("'limit' is at least 1.") }
        return min(limit, maximumPageLimit)
    }
}

/// What is asked of a directory's listing.
package struct ListingQuery: Hashable, Sendable {
    /// `next` of the page before.
    package var after: String?
    package var limit: Int?
    /// The answer is not older.
    package var cursor: String?
    /// Whether the files' segment and block rows come too.
    package var content: Bool

    package init(after: String? = nil, limit: Int? = nil, cursor: String? = nil, content: Bool = false) {
        self.after = after
        self.limit = limit
        self.cursor = cursor
        self.content = content
    }
}
