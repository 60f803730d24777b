import DbxClientAPI
import DbxLocalStore
import DbxModel
import DbxSync
import DbxWire

/// Lists on the calling thread what has to be known before it is certain what the server has in a place.
extension ListingPages {
    /// All names on the path, as far as there are such directories.
    func learn(_ path: [Name]) throws {
        var current = InodeNumber.root
        for name in path {
            guard let next = try learn(name, in: current) else { return }
            current = next
        }
    }

    /// The node, wherever the server has it.
    func learn(_ node: NodeID) throws {
        guard try parts.shared.withStore({ store throws(StoreError) in try store.node(node) }) == nil else { return }
        let page = try parts.api.nodes([node], in: parts.namespace, cursor: nil, cancel: nil)
        let names = Dictionary(page.entries.filter { $0.node != nil }.map { ($0.node ?? node, $0) }) { first, _ in first
        }
        var path: [Name] = []
        var current = node
        while let entry = names[current], path.count <= names.count {
            path.insert(entry.name, at: 0)
            current = entry.parent
        }
        try learn(path)
    }

    private func learn(_ name: Name, in directory: InodeNumber) throws -> InodeNumber? {
        while true {
            let (found, isKnown) = try parts.shared.withStore { store in
                guard let node = try store.node(directory), node.kind == .directory else {
                    return (InodeNumber?.none, true)
                }
                return (try store.lookup(directory, name)?.number, try store.knows(name, in: node))
            }
            if isKnown { return found }
            try bringNow(directory)
        }
    }
}
