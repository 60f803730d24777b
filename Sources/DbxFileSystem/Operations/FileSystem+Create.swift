package import DbxLocalStore
package import DbxModel
package import DbxSystem

/// A node to make: everything but its place.
package struct NodeBlueprint: Hashable, Sendable {
    package var kind: NodeKind
    package var permissions: UInt16
    /// Of devices.
    package var rdev: UInt64
    /// Of symlinks.
    package var target: [UInt8]?

    package init(kind: NodeKind, permissions: UInt16, rdev: UInt64 = 0, target: [UInt8]? = nil) {
        self.kind = kind
        self.permissions = permissions
        self.rdev = rdev
        self.target = target
    }

    package static func symlink(to target: [UInt8]) -> NodeBlueprint {
        NodeBlueprint(kind: .symlink, permissions: 0o777, target: target)
    }
}

extension FileSystem {
    /// Longest target of a symlink: PATH_MAX without the closing NUL.
    private static let longestTarget = 4_095
    private static let mostLinks: Int64 = 65_000

    /// mknod, mkdir and symlink.
    package func make(
        _ blueprint: NodeBlueprint, named name: Name, in parent: InodeNumber, by caller: Caller
    ) throws(Errno) -> FileAttributes {
        let node = try insert(blueprint, named: name, in: parent, by: caller)
        changed()
        return shown(node)
    }

    /// Makes a file and opens it.
    package func create(
        _ name: Name, in parent: InodeNumber, permissions: UInt16, options: OpenOptions, by caller: Caller
    ) throws(Errno) -> (FileAttributes, OpenedFile) {
        let blueprint = NodeBlueprint(kind: .file, permissions: permissions)
        let node = try insert(blueprint, named: name, in: parent, by: caller)
        changed()
        return (shown(node), opened(node.number, options))
    }

    /// O_TMPFILE: makes a file without a name and opens it. It is gone with its last close unless `link` names it.
    package func createTemporary(
        in parent: InodeNumber, permissions: UInt16, options: OpenOptions, by caller: Caller
    ) throws(Errno) -> (FileAttributes, OpenedFile) {
        let now = time.now()
        let blueprint = NodeBlueprint(kind: .file, permissions: permissions)
        let (node, file) = try inStore { store in
            let directory = try store.requireLiveDirectory(parent)
            let node = try store.createOrphan(newNode(blueprint, in: directory, by: caller), now: now)
            // Before anybody else has the lock: what has no name and is not open goes.
            let file = opened(node.number, options)
            nodes.becameTemporary(node.number)
            return (node, file)
        }
        return (shown(node), file)
    }

    /// A name, one more or the first, for a node that is no directory.
    package func link(_ number: InodeNumber, as name: Name, in parent: InodeNumber) throws(Errno) -> FileAttributes {
        let now = time.now()
        let isTemporary = nodes.isTemporary(number)
        let node = try inStore { store in
            let node = try store.require(number)
            guard node.kind != .directory else { throw Errno.notPermitted }
            guard !node.isOrphan || isTemporary else { throw Errno.noSuchFile }
            guard node.links < Self.mostLinks else { throw Errno.tooManyLinks }
            try store.requireLiveDirectory(parent)
            try store.requireKnown(name, in: parent)
            return try store.link(number, in: parent, name, now: now)
        }
        if isTemporary { nodes.gotName(number) }
        changed()
        return shown(node)
    }

    private func insert(
        _ blueprint: NodeBlueprint, named name: Name, in parent: InodeNumber, by caller: Caller
    ) throws(Errno) -> LocalNode {
        if let target = blueprint.target {
            guard !target.isEmpty else { throw .noSuchFile }
            guard target.count <= Self.longestTarget else { throw .nameTooLong }
            guard !target.contains(0) else { throw .invalidArgument }
        }
        let now = time.now()
        return try inStore { store in
            let directory = try store.requireLiveDirectory(parent)
            try store.requireKnown(name, in: parent)
            return try store.create(newNode(blueprint, in: directory, by: caller), in: parent, name, now: now)
        }
    }

    /// A set-group-id directory hands its group down, and to directories the bit too (inode(7)).
    private func newNode(_ blueprint: NodeBlueprint, in directory: LocalNode, by caller: Caller) -> NewNode {
        var new = NewNode(
            kind: blueprint.kind, mode: blueprint.permissions & 0o7777, uid: ownership.storedUser(caller.uid),
            gid: ownership.storedGroup(caller.gid), rdev: blueprint.rdev, target: blueprint.target)
        if directory.attributes.mode & UInt16.setGroupID != 0 {
            new.gid = directory.attributes.gid
            if blueprint.kind == .directory { new.mode |= UInt16.setGroupID }
        }
        return new
    }
}
