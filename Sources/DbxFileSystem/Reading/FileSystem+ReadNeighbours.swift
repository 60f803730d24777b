import DbxLocalStore
import Synchronization

/// Fetching the small files of a directory ahead of a program that reads one after the other.
extension FileSystem {
    /// Names that one look at a directory goes through for each file that it is to find.
    private static let namesPerFile = 4
    /// Of the cache's limit, what one window may take at most.
    private static let cacheShare: Int64 = 8
    private static let largestWindowBytes: Int64 = 8 << 20

    /// Called with each read when it comes; the first one of an open file counts.
    func readNeighbours(_ open: Handle, size: Int64, isMissing: Bool) {
        guard size > 0, size <= DirectoryReadahead.largestFile, !open.wasRead.exchange(true, ordering: .relaxed),
            isMissing || directories.withLock({ $0.isActive }),
            let place = try? inStore({ store in try store.place(of: open.number) })
        else { return }
        let step = directories.withLock { $0.read(open.number, at: place, isMissing: isMissing) }
        for token in step.cancelled { blocks.cancel(token) }
        if let window = step.window { fetch(window) }
    }

    private func fetch(_ window: DirectoryReadahead.Window) {
        let names = window.files * Self.namesPerFile
        guard let found = try? inStore({ store in try Self.look(window, names, store) }) else { return }
        let tokens = found.files.flatMap { file in
            file.missing.map { block in
                blocks.fetch(block, priority: .readahead) { [events] result in
                    if case .success = result { events.fetched(file.size, of: file.number) }
                }
            }
        }
        directories.withLock {
            $0.asked(
                window.behind.directory, files: found.files.map(\.number), tokens: tokens, until: found.until,
                isAtEnd: found.isAtEnd)
        }
    }

    private struct Found {
        var files: [(number: InodeNumber, size: Int64, missing: [BlockNumber])] = []
        var until: FilePlace
        var isAtEnd = false
    }

    /// The next small files that are not here, as many as the window has and the cache can take with ease.
    private static func look(
        _ window: DirectoryReadahead.Window, _ names: Int, _ store: LocalStore
    ) throws -> Found {
        var found = Found(until: window.behind)
        var bytes = min(largestWindowBytes, store.configuration.cacheLimitBytes / cacheShare)
        let neighbours = try store.neighbours(behind: window.behind, in: window.order, limit: names)
        for neighbour in neighbours {
            guard found.files.count < window.files, bytes > 0 else { return found }
            found.until = neighbour.place
            guard neighbour.isFile, (1...DirectoryReadahead.largestFile).contains(neighbour.size) else { continue }
            let missing = try missingBlocks(neighbour, store)
            guard !missing.isEmpty else { continue }
            bytes -= neighbour.size
            found.files.append((neighbour.number, neighbour.size, missing))
        }
        found.isAtEnd = neighbours.count < names
        return found
    }

    private static func missingBlocks(_ file: Neighbour, _ store: LocalStore) throws -> [BlockNumber] {
        var missing: [BlockNumber] = []
        for extent in try store.content(file.number, 0..<file.size) {
            guard case .block(let block, _) = extent.source, !store.isCached(block), !missing.contains(block) else {
                continue
            }
            missing.append(block)
        }
        return missing
    }
}
