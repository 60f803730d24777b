package import DbxLocalStore
package import DbxModel
package import DbxSystem

// Every answer that shows a node to the kernel counts as one reference, until `forget`.
extension FileSystem {
    /// What a name leads to; nil where there is nothing, which the kernel may remember.
    ///
    /// Like every operation on names it throws EAGAIN where that is not known here: the caller goes on with `whenListed`.
    package func lookup(_ name: Name, in parent: InodeNumber) throws(Errno) -> FileAttributes? {
        let found = try inStore { store in
            guard let node = try store.lookup(parent, name) else {
                try store.requireKnown(name, in: parent)
                return LocalNode?.none
            }
            return node
        }
        return found.map(shown)
    }

    /// The node itself, as a handle that was kept over a restart asks for it.
    package func lookup(_ number: InodeNumber) throws(Errno) -> FileAttributes {
        let node = try inStore { store in try store.require(number) }
        // It may be removed at any moment.
        guard !node.isOrphan || nodes.isKnown(number) else { throw .stale }
        return shown(node)
    }

    /// The directory above; the root is its own parent.
    package func lookupParent(of directory: InodeNumber) throws(Errno) -> FileAttributes {
        shown(
            try inStore { store in
                try store.requireDirectory(directory)
                return try store.require(try store.parent(of: directory) ?? .root)
            })
    }

    /// The kernel drops `count` references.
    package func forget(_ number: InodeNumber, count: UInt64) {
        if nodes.forget(number, count) { scheduleRemoval(of: number) }
    }

    /// A node that a name led to before a remote change, as an answer that the kernel keeps: the row may be gone, or have
    /// one link less.
    package func shown(
        past target: NameChange.Target, withOneLinkMore hadLink: Bool
    ) throws(Errno) -> FileAttributes {
        let node = try inStore { store in try store.node(target.number) }
        nodes.remember(target.number)
        guard let node else { return FileAttributes(past: target, at: time.now(), ownership: ownership) }
        var past = attributes(node)
        if hadLink, past.kind != .directory { past.links += 1 }
        return past
    }

    /// The node as an answer that the kernel keeps.
    func shown(_ node: LocalNode) -> FileAttributes {
        nodes.remember(node.number)
        return attributes(node)
    }
}

extension LocalStore {
    /// The node; ESTALE where the kernel asks for one that is gone.
    func require(_ number: InodeNumber) throws -> LocalNode {
        guard let node = try node(number) else { throw Errno.stale }
        return node
    }

    @discardableResult
    func requireDirectory(_ number: InodeNumber) throws -> LocalNode {
        let node = try require(number)
        guard node.kind == .directory else { throw Errno.notDirectory }
        return node
    }

    /// A directory that can take a new entry: one that was removed can not (POSIX rmdir(2)).
    @discardableResult
    func requireLiveDirectory(_ number: InodeNumber) throws -> LocalNode {
        let node = try requireDirectory(number)
        guard !node.isOrphan else { throw Errno.noSuchFile }
        return node
    }

    /// EAGAIN where it is not known what the server has under the name.
    func requireKnown(_ name: Name, in parent: InodeNumber) throws {
        guard try knows(name, in: requireDirectory(parent)) else { throw Errno.wouldBlock }
    }

    /// ENOTEMPTY, or EAGAIN where nothing is known to be in there, but not all is known.
    func requireEmpty(_ directory: LocalNode) throws {
        guard try isEmpty(directory.number) else { throw Errno.notEmpty }
        guard directory.knowledge != .partial else { throw Errno.wouldBlock }
    }

    func requireFile(_ number: InodeNumber) throws -> LocalNode {
        let node = try require(number)
        try node.requireFile()
        return node
    }
}

extension LocalNode {
    /// Content is regular files' alone.
    func requireFile() throws {
        switch kind {
        case .file: return
        case .directory: throw Errno.isDirectory
        case .symlink, .fifo, .socket, .characterDevice, .blockDevice: throw Errno.invalidArgument
        }
    }
}
