import DbxLocalStore
import DbxModel
import DbxSync
import DbxSystem
import DbxWire

/// Puts files that were saved from a damaged state back into the tree, once the server's is known and before any program
/// sees it. Never over a version that is not the one they were based on.
///
/// Each file is filled without a name and then takes its place in one operation: a kill leaves it waiting.
struct TreeRestorer {
    private static let pieceBytes: Int64 = 1 << 20

    let shared: SharedStore
    let device: String
    let time: any TimeSource

    /// Files for which there is no room stay waiting.
    func restore(_ recovery: inout Recovery) throws {
        for index in recovery.files.indices where recovery.files[index].outcome == .waiting {
            do {
                try restore(&recovery.files[index], isLast: recovery.isComplete)
            } catch StoreError.noSpace {
                continue
            }
        }
    }

    /// `isLast`: the file is as it was at the last epoch.
    private func restore(_ file: inout Recovery.File, isLast: Bool) throws {
        let base = try isLast ? agreedNode(file) : nil
        guard file.isIntact, file.isWhole || base != nil else {
            file.outcome = .leftAside
            return
        }
        // A part belongs on the version it was written to, and is shown beside it: what else was done to that is unknown.
        let filled = try fill(file, from: file.isWhole ? nil : base)
        do {
            let path = try place(filled, file, over: file.isWhole ? base : nil)
            file.outcome = path.isOwn ? .restored : .copied
            file.shownAs = String(decoding: path.bytes, as: UTF8.self)
        } catch {
            try shared.withStore { try $0.removeOrphan(filled) }
            throw error
        }
    }

    /// The file in the tree, where its content is the one that ours was based on.
    private func agreedNode(_ file: Recovery.File) throws -> LocalNode? {
        guard let identity = file.identity, identity.base != .zero else { return nil }
        return try shared.withStore { store in
            guard let node = try store.node(identity.node), node.kind == .file, !node.isOrphan, !node.contentDirty,
                node.contentSeq == identity.base
            else { return nil }
            return node
        }
    }

    // MARK: Content

    private func fill(_ file: Recovery.File, from base: LocalNode?) throws -> InodeNumber {
        let saved = try OpenFile(path: file.savedAs, .readOnly)
        let now = time.now()
        let mode = file.identity?.mode ?? base?.attributes.mode ?? 0o644
        let number = try shared.withStore { store in
            let node = try store.createOrphan(NewNode(kind: .file, mode: mode), now: now).number
            if let base {
                let length = min(base.size, file.size)
                if length > 0 { try store.clone(from: base.number, 0..<length, to: node, at: 0, now: now) }
            }
            return node
        }
        do {
            for range in file.unsent { try copy(range, of: saved, to: number) }
            try shared.withStore { store in
                try store.truncate(number, to: file.size, now: now)
                try store.releaseReservation(number)
                let mtime = AttributeUpdate(mtime: file.identity?.modified)
                _ = try store.setAttributes(number, mtime, now: now)
            }
        } catch {
            try? shared.withStore { try $0.removeOrphan(number) }
            throw error
        }
        return number
    }

    private func copy(_ range: StoreRescue.ByteRange, of saved: OpenFile, to number: InodeNumber) throws {
        var offset = range.offset
        let end = range.offset + range.length
        while offset < end {
            let length = min(Self.pieceBytes, end - offset)
            let bytes = try saved.read(count: Int(length), at: offset)
            guard bytes.count == Int(length) else { throw Errno.ioError }
            let place = try shared.withStore { try $0.reserveStaging(number, offset: offset, length: length) }
            do {
                try shared.segments.write(bytes, at: place.location)
                let now = time.now()
                _ = try shared.withStore {
                    try $0.recordWrite(number, offset: offset, length: length, range: place, now: now)
                }
            } catch {
                shared.withStore { $0.abandon(place) }
                throw LocalStore.storeError(error)
            }
            offset += length
        }
    }

    // MARK: Places

    /// Gives the filled node its place, and says where that is.
    private func place(
        _ filled: InodeNumber, _ file: Recovery.File, over base: LocalNode?
    ) throws -> (bytes: [UInt8], isOwn: Bool) {
        let now = time.now()
        return try shared.withStore { store in
            try store.transaction {
                if let base {
                    try store.replaceContent(of: base.number, with: filled, now: now)
                    return (try TreePath.path(of: base.number, in: store) ?? [], true)
                }
                var names = file.path64.bytes.split(separator: 0x2F).compactMap { Name(Array($0)) }
                guard let name = names.popLast() else { throw StoreError.corrupt("a saved file without a name") }
                let parent = try directory(names, in: store, now)
                let isOwn = try parent.isExact && store.lookup(parent.number, name) == nil
                let free =
                    try isOwn
                    ? name
                    : ConflictName(for: name, device: device, at: now, kind: .recovered).firstFree {
                        try store.lookup(parent.number, $0) != nil
                    }
                _ = try store.link(filled, in: parent.number, free, now: now)
                return (try TreePath.path(of: free, under: parent.number, in: store) ?? [], isOwn)
            }
        }
    }

    /// The directory of that path, made where it is missing; the last one on the way where something else stands.
    private func directory(
        _ names: [Name], in store: LocalStore, _ now: Timestamp
    ) throws -> (number: InodeNumber, isExact: Bool) {
        var current = InodeNumber.root
        for name in names {
            if let node = try store.lookup(current, name) {
                guard node.kind == .directory else { return (current, false) }
                current = node.number
            } else {
                current = try store.create(
                    NewNode(kind: .directory, mode: 0o755), in: current, name, now: now
                ).number
            }
        }
        return (current, true)
    }
}
