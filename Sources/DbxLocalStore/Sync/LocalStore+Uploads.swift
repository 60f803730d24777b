package import DbxModel

extension LocalStore {
    /// The file's content now; nil where there is none to upload any more.
    package func beginUpload(_ number: InodeNumber) throws(StoreError) -> UploadSnapshot? {
        do {
            guard let node = try node(number), node.kind == .file, node.contentDirty, !node.isOrphan else { return nil }
            let indices = try query(
                "SELECT stretch FROM dirty_stretches WHERE node = ? ORDER BY stretch", [number.sqlValue]
            ) { $0[0] as Int64 }
            let extents = try indices.flatMap { try stretch(StretchKey(node: number, index: $0)) }
            for extent in extents { pin(extent) }
            defer { sealEpoch() }
            return UploadSnapshot(
                number: number, id: node.id, contentChange: node.contentChange, size: node.size,
                contentBase: node.contentSeq,
                mtime: node.attributes.mtime, ctime: node.attributes.ctime, dirtyStretches: indices,
                extents: extents, epoch: epoch, isNewStream: extents.allSatisfy(\.isStaging))
        } catch {
            throw Self.storeError(error)
        }
    }

    /// The bytes of a snapshot have been uploaded, or need not be: they may go. Called once.
    package func endUpload(_ snapshot: UploadSnapshot) {
        for extent in snapshot.extents { unpin(extent) }
    }

    private func pin(_ extent: LocalExtent) {
        guard case .staging(let location, _) = extent.source else { return }
        space.retain(location, extent.length)
    }

    private func unpin(_ extent: LocalExtent) {
        guard case .staging(let location, _) = extent.source else { return }
        space.release(location, extent.length)
    }

    /// Ranges whose bytes are still those of the snapshot: at the same place and not written later. The place alone says
    /// nothing, since it may have been freed and have been given to newer bytes of the same range.
    func stillStanding(_ snapshot: UploadSnapshot, in key: StretchKey) throws -> [Range<Int64>] {
        let before = snapshot.extents.slice(key.range).filter(\.isStaging)
        return try stretch(key).filter(\.isStaging).flatMap { extent -> [Range<Int64>] in
            guard case .staging(_, let epoch) = extent.source, epoch <= snapshot.epoch else { return [] }
            return before.slice(extent.range).filter { $0.hasSameBytes(as: extent.clipped(to: $0.range)) }.map(\.range)
        }
    }

    /// A stretch without staging, of a file that was not changed since the snapshot, is as the server has it.
    func settleStretch(
        _ key: StretchKey, node: LocalNode, snapshot: UploadSnapshot, agreed: [LocalExtent]
    ) throws {
        let row = [key.node.sqlValue, key.index.sqlValue]
        if node.contentChange == snapshot.contentChange {
            try execute("DELETE FROM dirty_stretches WHERE node = ? AND stretch = ?", row)
        } else {
            try execute(
                "UPDATE dirty_stretches SET base = ?3 WHERE node = ?1 AND stretch = ?2",
                row + [agreed.isEmpty ? .null : ExtentsCodec.encode(agreed).sqlValue])
        }
    }

    /// The row of one stretch as last agreed with the server.
    package func agreedRow(_ number: InodeNumber, index: Int64) throws(StoreError) -> [Extent] {
        do {
            let bases = try query(
                "SELECT base FROM dirty_stretches WHERE node = ? AND stretch = ?", [number.sqlValue, index.sqlValue]
            ) { row -> [UInt8]? in row.bytesIfPresent(0) }
            // Without a row of its own the stretch is as agreed.
            guard let base = bases.first else { return try named(stretch(StretchKey(node: number, index: index))) }
            return try named(base.map(ExtentsCodec.decode) ?? [])
        } catch {
            throw Self.storeError(error)
        }
    }

    /// What the snapshot's content replaces on the server: what the file's changed stretches held before, or, of a new file,
    /// what the file held whose name it took.
    package func replacedContent(_ snapshot: UploadSnapshot) throws(StoreError) -> [Extent] {
        if snapshot.contentBase != .zero {
            var replaced: [Extent] = []
            for index in snapshot.dirtyStretches { replaced += try agreedRow(snapshot.number, index: index) }
            return replaced
        }
        guard let old = try replacedFile(snapshot.number) else { return [] }
        return try named(agreedContent(old.number))
    }

    /// The file that the server has under a name which a new file has taken.
    package func replacedFile(_ number: InodeNumber) throws(StoreError) -> LocalNode? {
        for entry in try entries(of: number) where entry.dirty {
            guard let id = entry.baseNode, id != entry.node, let old = try node(id), old.kind == .file else { continue }
            return old
        }
        return nil
    }

    /// Those extents that stand in blocks, by the blocks' names.
    package func named(_ extents: [LocalExtent]) throws(StoreError) -> [Extent] {
        var ids: [BlockNumber: BlockID] = [:]
        var named: [Extent] = []
        for extent in extents {
            guard case .block(let number, let offset) = extent.source else { continue }
            if ids[number] == nil { ids[number] = try block(number)?.id }
            guard let id = ids[number] else { throw .corrupt("a file refers to an unknown block") }
            named.append(Extent(offset: extent.offset, length: extent.length, block: id, blockOffset: offset))
        }
        return named
    }

    /// The extents last agreed with the server, whatever was written here since; all name blocks.
    package func agreedContent(_ number: InodeNumber) throws(StoreError) -> [LocalExtent] {
        do {
            let changed = try query(
                "SELECT stretch, base FROM dirty_stretches WHERE node = ?", [number.sqlValue]
            ) { row -> (Int64, [UInt8]?) in (row[0], row.bytesIfPresent(1)) }
            let bases = Dictionary(uniqueKeysWithValues: changed)
            let clean = try query(
                "SELECT start, length, block, segment, place, epoch FROM content WHERE node = ? ORDER BY start",
                [number.sqlValue], Self.extent
            ).filter { bases[ContentLimits.segmentIndex(of: $0.offset)] == nil && !$0.isStaging }
            let restored = try bases.values.compactMap(\.self).flatMap(ExtentsCodec.decode)
            return (clean + restored).sorted { $0.offset < $1.offset }
        } catch {
            throw Self.storeError(error)
        }
    }

    /// Drops what was written here and was not sent, of a node that no program can reach any more. The agreed extents
    /// stay: should the server's node have changed meanwhile, it comes back. Its size and times were not kept, so its next
    /// row counts, however old: one comes with every name that somebody gives it.
    func revertContent(of node: LocalNode) throws {
        let isMarked = try queryOne(
            "SELECT 1 FROM dirty_stretches WHERE node = ?", [node.number.sqlValue]
        ) { _ in true }
        guard node.contentDirty || isMarked != nil else { return }
        let agreed = try agreedContent(node.number)
        try dropContent(of: node)
        var reverted = node
        if node.contentDirty, !node.isNew { reverted.seq = .oldest }
        reverted.contentDirty = false
        reverted.allocatedBytes = 0
        for extent in agreed {
            let key = StretchKey(node: node.number, index: ContentLimits.segmentIndex(of: extent.offset))
            try replace(&reverted, key, extent.range, [extent])
        }
        try save(reverted)
    }

    /// Gives a node the agreed content of another, before what the server changed since is put over it.
    package func putAgreedContent(_ extents: [LocalExtent], of id: NodeID) throws(StoreError) {
        try transaction {
            guard var node = try node(id) else { return }
            for extent in extents where extent.offset < node.size {
                let part = extent.clipped(to: 0..<node.size)
                let key = StretchKey(node: node.number, index: ContentLimits.segmentIndex(of: part.offset))
                try replace(&node, key, part.range, [part])
            }
            try save(node)
        }
    }
}

extension LocalExtent {
    /// Whether both name the same bytes of the segments, whenever they were written.
    fileprivate func hasSameBytes(as other: LocalExtent) -> Bool {
        guard case .staging(let a, _) = source, case .staging(let b, _) = other.source else { return false }
        return a == b && range == other.range
    }
}
