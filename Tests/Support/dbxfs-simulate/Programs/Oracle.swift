import DbxContent
import DbxLocalStore
import DbxModel
import DbxServerCore
import DbxSystem
import DbxTransfer
import DbxWire

/// Reads what a file holds on a device at this moment, past the file system and the network: how the ledger knows what a
/// program replaces. Nil where that cannot be known now.
struct Oracle {
    let host: SimulatedServer
    let login: Login
    let shared: SharedStore

    /// The contents of all files that have a name and whose bytes are on this device.
    func contentsHere() -> Set<Ledger.Content> {
        var found: Set<Ledger.Content> = []
        var waiting: [InodeNumber] = [.root]
        while let directory = waiting.popLast() {
            let entries =
                (try? shared.withStore { store throws(StoreError) in
                    try store.list(directory, after: 0, limit: .max)
                }) ?? []
            for entry in entries {
                if entry.kind == .directory { waiting.append(entry.number) }
                guard entry.kind == .file, let bytes = content(of: entry.number, isHere: true) else { continue }
                if let content = Ledger.content(of: bytes) { found.insert(content) }
            }
        }
        return found
    }

    /// The contents of files that the server does not have so; nil where one of them cannot be read now.
    func contentsWritten() -> Set<Ledger.Content>? {
        let dirty =
            (try? shared.withStore { store throws(StoreError) in
                try store.dirtyNodes(limit: .max, afterChange: 0).filter(\.contentDirty)
            }) ?? []
        let contents = dirty.compactMap { content(of: $0.number) }
        return contents.count == dirty.count ? Set(contents.compactMap { Ledger.content(of: $0) }) : nil
    }

    func content(of number: InodeNumber, isHere: Bool = false) -> [UInt8]? {
        guard
            let (size, extents) = try? shared.withStore({ store throws(StoreError) -> (Int64, [LocalExtent])? in
                guard let node = try store.node(number), node.kind == .file else { return nil }
                return (node.size, try store.content(number, 0..<node.size))
            }) ?? nil
        else { return nil }
        var bytes = [UInt8](repeating: 0, count: Int(size))
        for extent in extents {
            let part: [UInt8]?
            switch extent.source {
            case .staging(let location, _): part = try? shared.segments.read(count: Int(extent.length), at: location)
            case .block(let block, let offset):
                part = (isHere ? fromCache(block) : plain(block)).map {
                    Array($0[Int(offset)..<Int(offset + extent.length)])
                }
            }
            guard let part else { return nil }
            bytes.replaceSubrange(Int(extent.offset)..<Int(extent.end), with: part)
        }
        return bytes
    }

    private func plain(_ number: BlockNumber) -> [UInt8]? {
        guard let block = (try? shared.withStore({ store throws(StoreError) in try store.block(number) })) ?? nil else {
            return nil
        }
        return fromServer(block) ?? fromCache(number)
    }

    private func fromServer(_ block: AgreedBlock) -> [UInt8]? {
        guard let server = try? host.running(), let caller = try? server.authenticate(token: login.token),
            let keyring = try? NamespaceKeyring(login.session.namespaces[0].keys),
            let access = try? keyring.open(
                BlockWrap(
                    sealed: Base64(block.wrap), key: block.key, plainBytes: block.plainBytes,
                    storedBytes: block.storedBytes), of: block.id),
            let found = try? server.readBlock(caller, namespace: login.session.root, block: block.id)
        else { return nil }
        var stored = [UInt8](repeating: 0, count: Int(found.bytes))
        guard (try? stored.withUnsafeMutableBytes({ try found.read(into: $0, offset: 0) })) != nil else { return nil }
        var plain: [UInt8] = []
        do {
            try BlockOpener().open(stored, access) { part in
                part.withUnsafeBytes { plain.append(contentsOf: $0) }
            }
            return plain
        } catch {
            return nil
        }
    }

    private func fromCache(_ number: BlockNumber) -> [UInt8]? {
        guard
            let (cached, sums) = shared.withStore({ store in
                store.cached(number).map { ($0, try? store.checksums(of: .whole(number))) }
            }),
            let bytes = try? shared.segments.read(count: Int(cached.length), at: cached.location),
            bytes.withUnsafeBytes({ CRC32C.checksums($0, frameBytes: CachedBlock.frameBytes) }) == sums
        else { return nil }
        return bytes
    }
}
