package import DbxLocalStore
package import DbxModel
package import DbxSystem

extension FileSystem {
    /// unlink(2): takes the name of anything but a directory away. What has no name left lives on while it is open.
    package func unlink(_ name: Name, in parent: InodeNumber) throws(Errno) {
        try remove(name, in: parent) { _, node in
            guard node.kind != .directory else { throw Errno.isDirectory }
        }
    }

    /// rmdir(2).
    package func removeDirectory(_ name: Name, in parent: InodeNumber) throws(Errno) {
        try remove(name, in: parent) { store, node in
            guard node.kind == .directory else { throw Errno.notDirectory }
            try store.requireEmpty(node)
        }
    }

    private func remove(
        _ name: Name, in parent: InodeNumber, check: (LocalStore, LocalNode) throws -> Void
    ) throws(Errno) {
        let now = time.now()
        let node = try inStore { store in
            guard let node = try store.lookup(parent, name) else {
                try store.requireKnown(name, in: parent)
                throw Errno.noSuchFile
            }
            try check(store, node)
            return try store.unlink(parent, name, of: node, now: now)
        }
        changed()
        lostName(node)
    }

    /// To be called with a node that has just lost a name.
    func lostName(_ node: LocalNode) {
        if node.isOrphan, nodes.becameOrphan(node.number) { scheduleRemoval(of: node.number) }
    }
}
