package import DbxLocalStore
package import DbxModel
package import DbxSystem

/// What merging two versions of a file needs of the tree. On a thread that serves no request.
extension FileSystem {
    private static let pieceBytes = 1 << 20

    /// The bytes of a version that no file here holds any more, fetched where they are not here.
    package func contents(of base: MergeBase) throws(Errno) -> [UInt8] {
        let number = try hidden { store, now in try store.createOrphan(holding: base, now: now) }
        defer { drop(number) }
        return try contents(of: number, count: Int(base.bytes))
    }

    /// Gives a file another content and what else changes with it, in one operation, and tells the kernel; false, with
    /// nothing done, where a program writes to it or `settle`, which belongs to the operation, denies it.
    package func replaceContent(
        of number: InodeNumber, with text: [UInt8], _ attributes: AttributeUpdate?,
        if settle: (LocalStore) throws -> Bool
    ) throws(Errno) -> Bool {
        let filled = try hidden { store, now in
            try store.createOrphan(NewNode(kind: .file, mode: 0o600), now: now).number
        }
        defer { drop(filled) }
        for start in stride(from: 0, to: text.count, by: Self.pieceBytes) {
            let piece = Array(text[start..<min(start + Self.pieceBytes, text.count)])
            guard unsafe try writeAtOnce(piece.span.bytes, to: filled, at: Int64(start)) != nil else { throw .noSpace }
        }
        let now = time.now()
        let isDone = try inStore { store in
            try store.transaction {
                guard nodes.writers(of: number) == 0, try settle(store) else { return false }
                try store.replaceContent(of: number, with: filled, now: now)
                if let attributes { _ = try store.setAttributes(number, attributes, now: now) }
                return true
            }
        }
        guard isDone else { return false }
        nodes.noteUnsynced(number)
        changed()
        apply(changes: [.content(number), .attributes(number)])
        return true
    }

    /// Takes a file's name away, and tells the kernel; false, with nothing done, where a program writes to it or `settle`,
    /// which belongs to the operation, denies it.
    package func unlink(
        _ name: Name, in parent: InodeNumber, if settle: (LocalStore, LocalNode) throws -> Bool
    ) throws(Errno) -> Bool {
        let now = time.now()
        let removed = try inStore { store in
            try store.transaction { () throws -> LocalNode? in
                guard let node = try store.lookup(parent, name), node.kind == .file,
                    nodes.writers(of: node.number) == 0,
                    try settle(store, node)
                else { return nil }
                return try store.unlink(parent, name, now: now)
            }
        }
        guard let removed else { return false }
        changed()
        lostName(removed)
        apply(changes: [.entry(parent: parent, name: name)])
        return true
    }

    /// A file without a name that counts as open: nobody takes it away meanwhile.
    private func hidden(_ make: (LocalStore, Timestamp) throws -> InodeNumber) throws(Errno) -> InodeNumber {
        let now = time.now()
        return try inStore { store in
            let number = try make(store, now)
            _ = nodes.opened(number, writing: false)
            nodes.becameTemporary(number)
            return number
        }
    }

    private func drop(_ number: InodeNumber) {
        if nodes.closed(number, writing: false).removesOrphan { scheduleRemoval(of: number) }
    }
}
