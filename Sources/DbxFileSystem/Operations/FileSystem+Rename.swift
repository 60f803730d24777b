package import DbxLocalStore
package import DbxModel
package import DbxSystem

/// A rename as renameat2(2) has it.
package struct Rename: Hashable, Sendable {
    package var name: Name
    package var parent: InodeNumber
    package var newName: Name
    package var newParent: InodeNumber
    package var mode: RenameMode

    package init(
        _ name: Name, in parent: InodeNumber, to newName: Name, in newParent: InodeNumber, mode: RenameMode = .replace
    ) {
        self.name = name
        self.parent = parent
        self.newName = newName
        self.newParent = newParent
        self.mode = mode
    }
}

extension FileSystem {
    /// Renames, unless new bytes have to reach the disk first: then it has done nothing and returns false, and the
    /// caller goes on with `renameAfterFlush`.
    ///
    /// That is so where a file is replaced by one whose content no epoch covers: a power cut must show the old or the new
    /// content, never neither (DESIGN §5.1).
    package func renameAtOnce(_ rename: Rename) throws(Errno) -> Bool {
        try perform(rename, flushesFirst: true)
    }

    /// Makes durable what has been written, then renames. `completion` is called once, on another thread.
    package func renameAfterFlush(_ rename: Rename, completion: @escaping @Sendable (Result<Void, Errno>) -> Void) {
        keeper.request { [self] result in
            do throws(Errno) {
                try result.get()
                _ = try perform(rename, flushesFirst: false)
                completion(.success(()))
            } catch {
                completion(.failure(error))
            }
        }
    }

    /// False: nothing was done, because the file has new bytes that are to be flushed first.
    private func perform(_ rename: Rename, flushesFirst: Bool) throws(Errno) -> Bool {
        let now = time.now()
        enum Outcome {
            case mustFlush
            case done(displaced: LocalNode?)
        }
        let outcome: Outcome = try inStore { store in
            let (node, other) = try check(rename, in: store)
            if flushesFirst, rename.mode == .replace, let other, other.number != node.number,
                nodes.isUnsynced(node.number)
            {
                return .mustFlush
            }
            let displaced = try store.rename(
                from: rename.parent, rename.name, to: rename.newParent, rename.newName, mode: rename.mode, now: now)
            return .done(displaced: displaced)
        }
        guard case .done(let displaced) = outcome else { return false }
        changed()
        if let displaced { lostName(displaced) }
        return true
    }

    /// The rules of rename(2); returns what moves and what stands in its new place.
    private func check(_ rename: Rename, in store: LocalStore) throws -> (LocalNode, LocalNode?) {
        try store.requireDirectory(rename.parent)
        try store.requireLiveDirectory(rename.newParent)
        guard let node = try store.lookup(rename.parent, rename.name) else {
            try store.requireKnown(rename.name, in: rename.parent)
            throw Errno.noSuchFile
        }
        let other = try store.lookup(rename.newParent, rename.newName)
        if other == nil { try store.requireKnown(rename.newName, in: rename.newParent) }
        if node.kind == .directory, try store.isAncestor(node.number, of: rename.newParent) {
            throw Errno.invalidArgument
        }
        switch rename.mode {
        case .noReplace:
            if other != nil { throw Errno.fileExists }
        case .exchange:
            guard let other else { throw Errno.noSuchFile }
            if other.kind == .directory, try store.isAncestor(other.number, of: rename.parent) {
                throw Errno.invalidArgument
            }
        case .replace:
            if let other, other.number != node.number { try checkReplacing(other, by: node, in: store) }
        }
        return (node, other)
    }

    private func checkReplacing(_ other: LocalNode, by node: LocalNode, in store: LocalStore) throws {
        switch (node.kind == .directory, other.kind == .directory) {
        case (true, true):
            try store.requireEmpty(other)
        case (true, false): throw Errno.notDirectory
        case (false, true): throw Errno.isDirectory
        case (false, false): break
        }
    }
}
