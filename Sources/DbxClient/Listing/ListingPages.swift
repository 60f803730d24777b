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
    /// Directories came back that are to be compared anew: they were removed here before the server's data were put back.
    case mustCompare
    /// Two versions of something were kept.
    case conflicts
}

/// Asks for pages of a directory and puts them into the store. Blocking; from any thread, one at a time for a directory.
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

    /// How many entries are asked for at once: fewer where it is not known yet that there are many.
    private static let firstPageEntries = 1_000
    private static let pageEntries = 4_000
    /// How many are applied in one go, with the store's lock held.
    private static let pieceEntries = 500

    let parts: Parts
    private let tree = Mutex<(any SyncedTree)?>(nil)
    private let listener = Listener<ListingNews>()
    /// Entries that have been listed since the start.
    let listed = Atomic(0)

    package init(_ parts: Parts) { self.parts = parts }

    /// Where changes go; before it nothing but the mounted directory itself is listed.
    package func attach(_ tree: any SyncedTree, listener: @escaping @Sendable (ListingNews) -> Void) {
        self.tree.withLock { $0 = tree }
        self.listener.set(listener)
    }

    /// Nothing is listed any more.
    func detach() {
        tree.withLock { $0 = nil }
        listener.remove()
    }

    /// What a page that is asked for needs.
    private struct Request {
        var directory: InodeNumber
        var id: NodeID
        var start: ListingProgress?
        var cursor: String?
    }

    /// How a directory is listed on, page after page, while somebody reads it.
    struct Run {
        /// Asked when a page has come, whether the next one is to be asked for while this one is applied.
        var goesOn: () -> Bool
        /// More of the directory is known.
        var progress: () -> Void
        /// Where the next page is waited for.
        var threads: ThreadPool
    }

    /// Brings the next page, and those behind it as `run` has it.
    func bring(_ directory: InodeNumber, cancel: CancelToken?, run: Run) -> PageResult {
        do {
            return try tryToBring(directory, cancel: cancel, run: run)
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

    private func tryToBring(_ directory: InodeNumber, cancel: CancelToken?, run: Run? = nil) throws -> PageResult {
        guard var request = try begin(directory) else { return .success }
        defer { parts.shared.withStore { _ = $0.endListing(of: directory) } }
        var page = try fetch(request, cancel)
        while true {
            let ahead = try run.flatMap { run in try ask(ahead: page, of: request, run, cancel) }
            let outcome = Result { try apply(page, request, more: ahead != nil, run, cancel) }
            guard let ahead else { return try outcome.get().result }
            let next = ahead.page.wait { $0 }
            let (result, progress) = try outcome.get()
            guard let progress, let next else { return result }
            request.start = progress
            page = try next.get()
        }
    }

    private func fetch(_ request: Request, _ cancel: CancelToken?) throws(APIError) -> ListingPage {
        let after = request.start?.next
        var page = try parts.api.listing(
            in: parts.namespace, of: request.id,
            ListingRequest(
                after: after == ListingPage.beginning ? nil : after,
                limit: after == nil ? Self.firstPageEntries : Self.pageEntries, cursor: request.cursor, content: true),
            cancel: cancel)
        // No other directory's listing has the row of the mounted one.
        if request.directory == .root, request.start == nil {
            page.nodes += try parts.api.nodes(
                [request.id], in: parts.namespace, cursor: request.cursor, cancel: cancel
            ).nodes
        }
        return page
    }

    /// A page on its way.
    private struct Ahead {
        let page = Monitor<Result<ListingPage, APIError>?>(nil)
    }

    /// Asks for the page behind one that has come, if somebody wants it. The listing stays under way: what pulls take away
    /// from now on is remembered.
    private func ask(
        ahead page: ListingPage, of request: Request, _ run: Run, _ cancel: CancelToken?
    ) throws -> Ahead? {
        guard let next = page.next, let last = page.entries.last?.name, run.goesOn() else { return nil }
        var following = request
        following.start = ListingProgress(through: last, next: next)
        following.cursor = try parts.shared.withStore { store in try Self.cursor(in: store) }
        let (ahead, wanted) = (Ahead(), following)
        let isAsked = run.threads.trySubmit { [self] in
            let page = Result { () throws(APIError) in try fetch(wanted, cancel) }
            ahead.page.update { $0 = page }
        }
        return isAsked ? ahead : nil
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
                directory: directory, id: node.id, start: try store.listingProgress(of: directory),
                cursor: try Self.cursor(in: store))
        }
    }

    private static func cursor(in store: LocalStore) throws -> String? {
        try store.meta(SyncMeta.cursor).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Piece by piece. Nil for where it goes on: somebody else lists the directory, or nobody can.
    ///
    /// - Parameter more: another page is on its way.
    private func apply(
        _ page: ListingPage, _ request: Request, more: Bool, _ run: Run?, _ cancel: CancelToken?
    ) throws -> (result: PageResult, progress: ListingProgress?) {
        var start = request.start
        let pieces = page.pieces(of: Self.pieceEntries, from: start?.next)
        for (index, piece) in pieces.enumerated() {
            let isFollowed = more || index < pieces.count - 1
            let (result, isApplied) = try apply(
                piece, of: request.directory, behind: start, more: isFollowed, cancel: cancel)
            guard isApplied else { return (result, nil) }
            start = piece.next.flatMap { next in
                piece.entries.last.map { ListingProgress(through: $0.name, next: next) }
            }
            run?.progress()
        }
        return (.success, start)
    }

    private func apply(
        _ page: ListingPage, of directory: InodeNumber, behind start: ListingProgress?, more: Bool, cancel: CancelToken?
    ) throws -> (result: PageResult, isApplied: Bool) {
        var supplement: PullSupplement?
        let tree = tree.withLock { $0 }
        while true {
            let (outcome, changes, news) = try parts.shared.withStore { store in
                let wasCompared = try store.staleDirectories(limit: 1).isEmpty
                let isAwaited = try !wasCompared || !store.directoriesWithBlindNames(limit: 1).isEmpty
                var applier = PullApplier(
                    store: store, now: parts.time.now(), entropy: parts.entropy, device: parts.device,
                    policy: parts.conflictPolicy, isBusy: { tree?.openForWriting($0) ?? false })
                let outcome = try applier.apply(
                    page, of: directory, behind: start, supplement: supplement, more: more)
                let isBehind = try SyncMeta.seq(in: store) ?? .zero < page.seq
                let mustCompare = try wasCompared && !store.staleDirectories(limit: 1).isEmpty
                let news: [ListingNews?] = [
                    isBehind ? .head(page.seq) : nil, isAwaited ? .mayPush : nil,
                    applier.conflicts.isEmpty ? nil : .conflicts, mustCompare ? .mustCompare : nil,
                ]
                return (outcome, applier.changes, news.compactMap(\.self))
            }
            switch outcome {
            case .applied, .obsolete:
                listed.add(page.entries.count, ordering: .relaxed)
                if !changes.isEmpty { tree?.apply(changes: changes) }
                for item in news { tell(item) }
                return (.success, outcome == .applied)
            case .behind:
                // What the cursor lacks may be commits of our own: the head alone does not tell.
                tell(.mustPull)
                return (.later, false)
            case .needs(let ids):
                let (cursor, seq) = try parts.shared.withStore { store in
                    (try Self.cursor(in: store), try SyncMeta.seq(in: store) ?? .zero)
                }
                let answer = try parts.api.supplement(ids, in: parts.namespace, cursor: cursor, cancel: cancel)
                guard answer.isTrue(at: seq) else {
                    tell(.head(answer.seq))
                    return (.later, false)
                }
                supplement = answer
            }
        }
    }

    private func tell(_ news: ListingNews) { listener.tell(news) }
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
