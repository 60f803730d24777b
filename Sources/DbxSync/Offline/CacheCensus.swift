package import DbxLocalStore

/// Counts what takes the cache's room, by the folders and files of the mounted directory. A block of several files counts
/// once, for one of them. A value; each `step` is to be called with the store's lock held, which is free in between.
package struct CacheCensus: Sendable {
    package struct Share: Hashable, Sendable {
        package var cachedBytes: Int64 = 0
        package var pinnedBytes: Int64 = 0
        package var pendingBytes: Int64 = 0

        package init() {}
    }

    /// By the first name of the path; nil for what no name leads to, as open files that were removed.
    package private(set) var shares: [InodeNumber?: Share] = [:]
    private var seen: Set<BlockNumber> = []
    private var tops: [InodeNumber: InodeNumber?] = [:]
    private var last = InodeNumber(rawValue: 0)

    private static let batch = 500

    package init() {}

    /// False when there is nothing left to look at.
    package mutating func step(_ store: LocalStore) throws(StoreError) -> Bool {
        let contents = try store.contents(behind: last, limit: Self.batch)
        guard let final = contents.last else { return false }
        for content in contents {
            let top = try top(of: content.number, store)
            var share = shares[top] ?? Share()
            share.pendingBytes += content.stagingBytes
            for block in content.blocks {
                guard block.cachedBytes != nil || block.frameBytes > 0, seen.insert(block.number).inserted else {
                    continue
                }
                share.cachedBytes += (block.cachedBytes ?? 0) + block.frameBytes
                if block.isPinned { share.pinnedBytes += block.cachedBytes ?? 0 }
            }
            shares[top] = share
        }
        last = final.number
        return true
    }

    private mutating func top(of number: InodeNumber, _ store: LocalStore) throws(StoreError) -> InodeNumber? {
        var way: [InodeNumber] = []
        var current = number
        var top: InodeNumber?
        while way.count < 4_096 {
            if let known = tops[current] {
                top = known
                break
            }
            guard let parent = try store.parent(of: current) else { break }
            if parent == .root {
                top = current
                break
            }
            // Files are met once; folders stand above many.
            way.append(parent)
            current = parent
        }
        for directory in way { tops[directory] = .some(top) }
        return top
    }
}
