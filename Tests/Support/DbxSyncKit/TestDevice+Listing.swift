import DbxLocalStore
import DbxModel
import DbxServerCore
import DbxSync
import DbxTestKit
import DbxWire

/// Listings, and what happens when the server does not know the cursor any more.
extension TestDevice {
    /// A page that has been asked for and has come, and is not applied yet.
    package struct PageUnderWay {
        package var directory: InodeNumber
        package var start: ListingProgress?
        package var page: ListingPage
    }

    /// Asks for the next page of the directory, as the server has it now; with `earlier` for the one behind that, which has
    /// come and is not applied yet.
    package func askForPage(of directory: InodeNumber, behind earlier: PageUnderWay? = nil) throws -> PageUnderWay? {
        guard let node = try store.node(directory), node.knowledge != .whole,
            store.isListing(directory) == (earlier != nil)
        else { return nil }
        var start = try store.listingProgress(of: directory)
        if let earlier {
            guard let next = earlier.page.next, let last = earlier.page.entries.last?.name else { return nil }
            start = ListingProgress(through: last, next: next)
        } else {
            store.beginListing(of: directory)
        }
        do {
            let page = try server.listing(
                caller, namespace: namespace, node: node.id,
                ListingQuery(
                    after: start?.next == ListingPage.beginning ? nil : start?.next,
                    limit: 1 + entropy.number(below: 4),
                    cursor: try store.meta(SyncMeta.cursor).map { String(decoding: $0, as: UTF8.self) }, content: true))
            return PageUnderWay(directory: directory, start: start, page: page)
        } catch let problem as Problem {
            if earlier != nil { return nil }
            store.endListing(of: directory)
            if problem.kind == .cursorGone { try pull() } else if problem.kind != .notFound { throw problem }
            return nil
        }
    }

    /// Applies the page in pieces; false where it does not count, so that what lies behind it does not either.
    ///
    /// - Parameter more: the page behind it has been asked for.
    @discardableResult
    package func take(_ page: PageUnderWay, more: Bool = false) throws -> Bool {
        do {
            var start = page.start
            let pieces = page.page.pieces(of: 1 + cuts.number(below: 3), from: start?.next)
            for (index, piece) in pieces.enumerated() {
                let part = PageUnderWay(directory: page.directory, start: start, page: piece)
                guard try tryToTake(part, more: more || index < pieces.count - 1) else {
                    store.endListing(of: page.directory)
                    return false
                }
                if let next = piece.next, let last = piece.entries.last {
                    start = ListingProgress(through: last.name, next: next)
                }
                // What others do between two pieces.
                if index < pieces.count - 1, cuts.chance(20) { try pull() }
            }
            return true
        } catch let problem as Problem where problem.kind == .cursorGone {
            store.endListing(of: page.directory)
            try pull()
            return false
        }
    }

    private func tryToTake(_ page: PageUnderWay, more: Bool) throws -> Bool {
        var supplement: PullSupplement?
        while true {
            var applier = makeApplier()
            let outcome = try applier.apply(
                page.page, of: page.directory, behind: page.start, supplement: supplement, more: more)
            conflicts += applier.conflicts
            guard case .needs(let ids) = outcome else {
                if outcome == .behind { try pull() }
                return outcome == .applied
            }
            let answer: PullSupplement
            do { answer = try ask(for: ids) } catch {
                store.endListing(of: page.directory)
                throw error
            }
            guard answer.isTrue(at: try SyncMeta.seq(in: store) ?? .zero) else {
                store.endListing(of: page.directory)
                try pull()
                return false
            }
            supplement = answer
        }
    }

    /// As the daemon does when the server does not know its cursor any more.
    package func startOver() throws {
        refused = nil
        let root = try store.node(InodeNumber.root)!.id
        let common = try CommonHistory.find(among: store.histories()) { cursor throws(Problem) in
            do throws(Problem) {
                _ = try server.changes(caller, namespace: namespace, cursor: cursor, limit: 1)
                return false
            } catch {
                guard error.kind == .cursorGone else { throw error }
                return error.common.map { _ in error.mended ?? false }
            }
        }
        let page = try server.listing(caller, namespace: namespace, node: root, ListingQuery(limit: 1))
        var supplement: PullSupplement?
        while true {
            var applier = makeApplier()
            let missing = try applier.startOver(at: page, common, supplement: supplement)
            conflicts += applier.conflicts
            losses += applier.losses
            if missing.isEmpty { return }
            supplement = try ask(for: missing, cursor: page.cursor)
        }
    }

    /// As the crawler does: what was known is compared with the server's; and who knows all goes on to do so.
    package func compareAnew() throws {
        for _ in 0..<300 {
            let all =
                try store.staleDirectories(limit: 1_000) + (isPartial ? [] : store.partialDirectories(limit: 1_000))
            let waiting = all.filter { !store.isListing($0) }
            if waiting.isEmpty { return }
            for directory in waiting { if let page = try askForPage(of: directory) { try take(page) } }
            try pull()
        }
        throw StoreError.corrupt("\(name) never compares everything")
    }

    /// Puts a block's content into the cache.
    package func cache(_ id: BlockID) throws {
        guard let number = try store.blockNumber(id), !store.isCached(number) else { return }
        let plain = blocks.get(id)
        let place = try store.reserveCache(bytes: Int64(plain.count))
        try store.segments.write(plain, at: place)
        try store.commitCache(number, at: place, bytes: Int64(plain.count), checksums: [])
    }

    /// What the server has lost of the file becomes unsent work; false where it is not here.
    package func bringBackLost(_ number: InodeNumber) throws -> Bool {
        let lost = try store.lostExtents(of: number)
        var copies: [DetachedCopy] = []
        for extent in lost {
            guard case .block(let block, let offset) = extent.source, let cached = store.cached(block) else {
                for copy in copies { store.abandon(copy.range) }
                return false
            }
            let bytes = try store.segments.read(
                count: Int(extent.length), at: cached.location.advanced(by: offset))
            let range = try store.reserveStaging(number, offset: extent.offset, length: extent.length)
            try store.segments.write(bytes, at: range.location)
            copies.append(DetachedCopy(offset: extent.offset, range: range))
        }
        return try lost.isEmpty || store.restage(number, from: lost, copies: copies)
    }
}
