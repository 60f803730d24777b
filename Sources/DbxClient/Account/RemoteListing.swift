import DbxClientAPI
package import DbxModel
package import DbxWire

/// Lists directories on the server without a mount. Blocking.
package struct RemoteListing {
    /// One entry with where it stands, relative to the root of the listing.
    package struct Item: Sendable {
        package var path: [Name]
        package var node: NodeRow
    }

    private let api: any DbxAPI
    private let server: String
    private let namespace: NamespaceID
    private let root: NodeID

    private static let pageEntries = 1_000

    package init(profile: Profile) throws(ClientFailure) {
        let session = try Credentials.load(for: profile).session
        guard let grant = session.namespaces.first(where: { $0.id == session.root }) else {
            throw .notLoggedIn(profile)
        }
        api = try Account.api(for: profile)
        server = try ProfileSettings.load(for: profile).server
        namespace = grant.id
        root = grant.rootNode
    }

    /// Hands every entry of the directory (or the one file) at `path` to `body`, in name order; with `recursive` those
    /// below too, each directory before what is in it.
    package func list(
        _ path: String, recursive: Bool, _ body: (Item) -> Void
    ) throws(ClientFailure) {
        var directory = root
        var found: Item?
        for part in path.split(separator: "/") where part != "." {
            let item = try find(String(part), in: directory, path: path)
            directory = item.node.id
            found = item
        }
        if let found, found.node.kind != .directory { return body(found) }
        try list(directory, below: [], recursive: recursive, body)
    }

    private func list(
        _ directory: NodeID, below path: [Name], recursive: Bool, _ body: (Item) -> Void
    ) throws(ClientFailure) {
        try forEachEntry(of: directory) { item throws(ClientFailure) in
            let item = Item(path: path + item.path, node: item.node)
            body(item)
            if recursive, item.node.kind == .directory {
                try list(item.node.id, below: item.path, recursive: true, body)
            }
            return true
        }
    }

    private func find(_ name: String, in directory: NodeID, path: String) throws(ClientFailure) -> Item {
        var found: Item?
        try forEachEntry(of: directory) { item throws(ClientFailure) in
            if item.path.last == Name(name) { found = item }
            return found == nil
        }
        guard let found else {
            throw ClientFailure(
                .failed, "There is no “\(path)” on the server", remedy: "List what is there: dbxfs ls")
        }
        return found
    }

    /// Until `body` says false.
    private func forEachEntry(
        of directory: NodeID, _ body: (Item) throws(ClientFailure) -> Bool
    ) throws(ClientFailure) {
        var after: String?
        repeat {
            let page: ListingPage
            do throws(APIError) {
                page = try api.listing(
                    in: namespace, of: directory, ListingRequest(after: after, limit: Self.pageEntries), cancel: nil)
            } catch {
                throw Account.failure(of: error, server: server)
            }
            let nodes = Dictionary(page.nodes.map { ($0.id, $0) }) { first, _ in first }
            for entry in page.entries {
                guard let id = entry.node, let node = nodes[id] else { continue }
                guard try body(Item(path: [entry.name], node: node)) else { return }
            }
            after = page.next
        } while after != nil
    }
}
