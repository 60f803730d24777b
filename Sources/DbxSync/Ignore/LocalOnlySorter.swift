package import DbxLocalStore
import DbxModel

/// Decides which of the new things here the rules of `.dbxfsignore` keep from the server. Looks at each change once, and
/// at what is kept again when rules or places change. A value of the sync loop's; every `step` is to be called with the
/// store's lock held, which is free in between. No plan may be made before `step` says that nothing is left.
///
/// What the server has is never kept back: a rule takes nothing from it.
package struct LocalOnlySorter {
    private var tree = IgnoreTree()
    /// Names changed up to here have been looked at.
    private var seen: Int64 = 0
    /// The same for names that are kept here; nil: no need to look at them.
    private var seenRuled: Int64?
    /// How far the directory under review has been gone through.
    private var position: (directory: InodeNumber, after: [UInt8])?

    private static let batch = 300

    package init() {}

    /// The rules have changed.
    package mutating func use(_ tree: IgnoreTree) { self.tree = tree }

    /// Whether there is more to look at.
    package mutating func step(_ store: LocalStore) throws(StoreError) -> Bool {
        guard store.usesRules else { return false }
        if let number = try store.nextReview() {
            try review(number, store)
            return true
        }
        let changed = try store.dirtyEntries(limit: Self.batch, afterChange: seen)
        if let last = changed.last {
            for entry in changed { try settle(entry, store) }
            seen = last.change
            return true
        }
        guard let after = seenRuled else { return false }
        let ruled = try store.ruledEntries(limit: Self.batch, afterChange: after)
        for entry in ruled { try settle(entry, store) }
        seenRuled = ruled.last?.change
        return true
    }

    private mutating func review(_ number: InodeNumber, _ store: LocalStore) throws(StoreError) {
        if number == .everything {
            seen = 0
            seenRuled = 0
            return try store.endReview(number)
        }
        guard let node = try store.node(number) else { return try store.endReview(number) }
        let after = position?.directory == number ? position?.after ?? [] : []
        if after.isEmpty { try settle(node, store) }
        let entries = try store.changedEntries(in: number, after: after, limit: Self.batch)
        for entry in entries { try settle(entry, store) }
        position = entries.last.map { (number, $0.name.bytes) }
        if entries.count < Self.batch {
            position = nil
            try store.endReview(number)
        }
    }

    private func settle(_ entry: LocalEntry, _ store: LocalStore) throws(StoreError) {
        if let node = try entry.number.flatMap({ number throws(StoreError) in try store.node(number) }) {
            try settle(node, store)
        }
    }

    /// Gives a node and its names the state that the rules want. Done twice it changes nothing.
    private func settle(_ node: LocalNode, _ store: LocalStore) throws(StoreError) {
        let names = try store.entries(of: node.number)
        guard !node.isOrphan, !names.isEmpty else { return }
        var shared: [LocalEntry] = []
        for name in names where try !isKept(name, of: node, store) { shared.append(name) }
        if shared.isEmpty, try mustBeShared(node, store) { shared = names }
        try store.setLocalOnly(node.number, shared.isEmpty)
        for name in names {
            if shared.contains(name) {
                if name.isLocalOnly { try store.setLocalOnly(name, false) }
                try store.uncover(name.parent)
            } else {
                try store.setLocalOnly(name, true)
            }
        }
    }

    /// What the server has stays there, and with it the folders on the way to it.
    private func mustBeShared(_ node: LocalNode, _ store: LocalStore) throws(StoreError) -> Bool {
        guard node.isNew else { return true }
        guard node.kind == .directory else { return false }
        return try store.holdsAgreed(node.number)
    }

    /// Whether the name is to stay here: a rule says so, and the server has nothing to lose by it.
    private func isKept(_ name: LocalEntry, of node: LocalNode, _ store: LocalStore) throws(StoreError) -> Bool {
        guard name.dirty, try isFree(name, of: node, store) else { return false }
        if try store.node(name.parent)?.isLocalOnly ?? false { return true }
        return try tree.match(name.name, in: name.parent, isDirectory: node.kind == .directory, store: store)?.match
            .isIgnored ?? false
    }

    /// What the server had under the name lives on elsewhere, or was given up for what is here: a file that is saved anew
    /// under a name of the server's is that file.
    private func isFree(_ name: LocalEntry, of node: LocalNode, _ store: LocalStore) throws(StoreError) -> Bool {
        guard let base = name.baseNode, !node.isLocalOnly else { return true }
        guard let old = try store.node(base) else { return false }
        return !old.isOrphan && old.id != node.id
    }
}
