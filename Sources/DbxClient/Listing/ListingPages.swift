import CurlHTTP
package import DbxClientAPI
package import DbxLocalStore
package import DbxModel
package import DbxSync
import DbxSystem
import DbxWire
package import Logging
import Synchronization

/// What became of the wish for another page of a directory.
enum PageResult {
    case success
    case failure(FetchFailure)
    /// It may work soon: the server is busy, or a pull has to come first.
    case later
}

/// What a listing has to tell the engine.
package enum ListingNews: Sendable {
    /// The server's journal has reached this.
    case head(Seq)
    /// The server knows better, whatever the journal said last.
    case mustPull
    /// Something that waited for a listing may go up now.
    case mayPush
}

/// Asks for one page of a directory and puts it into the store. Blocking; from any thread, one at a time for a directory.
package final class ListingPages: Sendable {
    package struct Parts: Sendable {
        var shared: SharedStore
        var api: any DbxAPI
        var namespace: NamespaceID
        var device: String
        var conflictPolicy: ConflictPolicy
        var time: any TimeSource
        var entropy: any Entropy
        var log: Logger

        package init(
            shared: SharedStore, api: any DbxAPI, namespace: NamespaceID, device: String,
            conflictPolicy: ConflictPolicy, time: any TimeSource, entropy: any Entropy, log: Logger
        ) {
            self.shared = shared
            self.api = api
            self.namespace = namespace
            self.device = device
            self.conflictPolicy = conflictPolicy
            self.time = time
            self.entropy = entropy
            self.log = log
        }
    }

    private static let pageEntries = 500

    let parts: Parts
    private let tree = Mutex<(any SyncedTree)?>(nil)
    private let listener = Mutex<(@Sendable (ListingNews) -> Void)?>(nil)
    /// Entries that have been listed since the start.
    let listed = Atomic(0)

    package init(_ parts: Parts) { self.parts = parts }

    /// Where changes go; before it nothing but the mounted directory itself is listed.
    package func attach(_ tree: any SyncedTree, listener: @escaping @Sendable (ListingNews) -> Void) {
        self.tree.withLock { $0 = tree }
        self.listener.withLock { $0 = listener }
    }

    /// Nothing is listed any more.
    func detach() {
        tree.withLock { $0 = nil }
        listener.withLock { $0 = nil }
    }

    /// What a page that is asked for needs.
    private struct Request {
        var id: NodeID
        var start: ListingProgress?
        var cursor: String?
    }

    func bring(_ directory: InodeNumber, cancel: CancelToken?) -> PageResult {
        do {
            return try tryToBring(directory, cancel: cancel)
        } catch let error as APIError {
            return result(of: error)
        } catch {
            parts.log.warning("a listing cannot be applied: \(error)")
            return .failure((error as? StoreError).map(FetchFailure.local) ?? .refused("\(error)"))
        }
    }

    /// The first page of the mounted directory, where nothing is known yet.
    package func bringFirst() throws {
        try bringNow(.root)
    }

    func bringNow(_ directory: InodeNumber) throws {
        guard case .success = try tryToBring(directory, cancel: nil) else {
            throw APIError(.garbage("a folder cannot be listed"))
        }
    }

    private func result(of error: APIError) -> PageResult {
        switch error.meaning {
        case .away, .loggedOut: return .failure(.serverAway)
        case .busy: return .later
        case .cancelled: return .failure(.cancelled)
        case .refused: break
        }
        switch error.problem?.kind {
        case .cursorGone:
            // The next pull sees it too, and begins anew.
            tell(.mustPull)
            return .later
        case .notFound:
            tell(.mustPull)
            return .failure(.missing)
        default: return .failure(.refused(error.description))
        }
    }

    private func tryToBring(_ directory: InodeNumber, cancel: CancelToken?) throws -> PageResult {
        guard let request = try begin(directory) else { return .success }
        var page: ListingPage
        do throws(APIError) {
            page = try parts.api.listing(
                in: parts.namespace, of: request.id,
                ListingRequest(
                    after: request.start?.next, limit: Self.pageEntries, cursor: request.cursor, content: true),
                cancel: cancel)
            // No other directory's listing has the row of the mounted one.
            if directory == .root, request.start == nil {
                page.nodes += try parts.api.nodes(
                    [request.id], in: parts.namespace, cursor: request.cursor, cancel: cancel
                ).nodes
            }
        } catch {
            parts.shared.withStore { _ = $0.endListing(of: directory) }
            throw error
        }
        defer { parts.shared.withStore { _ = $0.endListing(of: directory) } }
        return try apply(page, of: directory, behind: request.start, cancel: cancel)
    }

    func isUnlisted(_ directory: InodeNumber) -> Bool {
        (try? parts.shared.withStore { store throws(StoreError) in
            try store.node(directory)?.knowledge == .partial
        }) ?? false
    }

    /// Nil where all is known.
    private func begin(_ directory: InodeNumber) throws -> Request? {
        try parts.shared.withStore { store -> Request? in
            guard let node = try store.node(directory), node.knowledge != .whole else { return nil }
            store.beginListing(of: directory)
            return Request(
                id: node.id, start: try store.listingProgress(of: directory),
                cursor: try store.meta(SyncMeta.cursor).map { String(decoding: $0, as: UTF8.self) })
        }
    }

    private func apply(
        _ page: ListingPage, of directory: InodeNumber, behind start: ListingProgress?, cancel: CancelToken?
    ) throws -> PageResult {
        var supplement: PullSupplement?
        let tree = tree.withLock { $0 }
        while true {
            let (outcome, changes, news) = try parts.shared.withStore { store in
                let isAwaited = try !(store.directoriesWithBlindNames(limit: 1) + store.staleDirectories(limit: 1))
                    .isEmpty
                var applier = PullApplier(
                    store: store, now: parts.time.now(), entropy: parts.entropy, device: parts.device,
                    policy: parts.conflictPolicy, isBusy: { tree?.openForWriting($0) ?? false })
                let outcome = try applier.apply(page, of: directory, behind: start, supplement: supplement)
                let isBehind = try SyncMeta.seq(in: store) ?? .zero < page.seq
                let news: [ListingNews?] = [isBehind ? .head(page.seq) : nil, isAwaited ? .mayPush : nil]
                return (outcome, applier.changes, news.compactMap(\.self))
            }
            switch outcome {
            case .applied, .obsolete:
                listed.add(page.entries.count, ordering: .relaxed)
                if !changes.isEmpty { tree?.apply(changes: changes) }
                for item in news { tell(item) }
                return .success
            case .behind:
                // What the cursor lacks may be commits of our own: the head alone does not tell.
                tell(.mustPull)
                return .later
            case .needs(let ids):
                let (cursor, seq) = try parts.shared.withStore { store in
                    (
                        try store.meta(SyncMeta.cursor).map { String(decoding: $0, as: UTF8.self) },
                        try SyncMeta.seq(in: store) ?? .zero
                    )
                }
                let answer = try parts.api.supplement(ids, in: parts.namespace, cursor: cursor, cancel: cancel)
                guard answer.isTrue(at: seq) else {
                    tell(.head(answer.seq))
                    return .later
                }
                supplement = answer
            }
        }
    }

    private func tell(_ news: ListingNews) { listener.withLock { $0 }?(news) }
}

extension DbxAPI {
    /// Asks for nodes, however many.
    func supplement(
        _ nodes: Set<NodeID>, in namespace: NamespaceID, cursor: String?, cancel: CancelToken?
    ) throws(APIError) -> PullSupplement {
        let ids = nodes.sorted()
        var answers: [NodesPage] = []
        for start in stride(from: 0, to: ids.count, by: NodesPage.maximumIDs) {
            let some = Array(ids[start..<min(start + NodesPage.maximumIDs, ids.count)])
            answers.append(try self.nodes(some, in: namespace, cursor: cursor, cancel: cancel))
        }
        return PullSupplement(nodes, answers)
    }
}
