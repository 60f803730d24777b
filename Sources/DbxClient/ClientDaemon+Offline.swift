import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSync
import DbxSystem
import DbxTransfer
import DbxWire

/// What is here without the server: `dbxfs pin`, `unpin`, `warmup`, `evict` and `cache`.
extension ClientDaemon {
    package func pins() throws(ClientFailure) -> [PinStatus] {
        try inStore { store throws(StoreError) in
            let found = try PinKeeper.pinned(store)
            return try store.pins().map { pin in (pin, found.first { $0.pin.node == pin.node }?.node) }
        }.map { pin, node throws(ClientFailure) in
            var status = PinStatus(path: pin.path, since: pin.since)
            guard let node else {
                status.isGone = true
                return status
            }
            let content = try content(of: [node]) { _ in }
            status.files = content.files
            status.bytes = content.bytes
            status.hereBytes = content.hereBytes
            if content.hereBytes < content.bytes { status.problem = pinProblem }
            return status
        }
    }

    func pinSummary() -> (count: Int, gone: [String]) {
        let found = try? shared.withStore { store throws(StoreError) in
            (try store.pins(), Set(try PinKeeper.pinned(store).map(\.pin.node)))
        }
        guard let (pins, present) = found else { return (0, []) }
        return (pins.count, pins.filter { !present.contains($0.node) }.map { String(decoding: $0.path, as: UTF8.self) })
    }

    private var pinProblem: String? {
        switch pinKeeper.problem {
        case nil: connectivity.status.state == .connected ? nil : "the server cannot be reached"
        case .local(.noSpace):
            "no room: the cache may take \(ByteCount.format(options.settings.cacheLimitBytes)) and what is pinned does not "
                + "fit (dbxfs mount --cache-size), or the disk is full"
        case .refused(let reason): reason
        case .missing: "the server does not have a part of it"
        case .timedOut: "the server does not answer in time"
        case .some(let failure): "\(failure.errno)"
        }
    }

    package func pin(_ paths: [[UInt8]]) throws(ClientFailure) -> [PinStatus] {
        let now = SystemTime().now()
        let nodes = try nodes(at: paths)
        try inStore { store throws(StoreError) in
            for (path, node) in nodes { try store.putPin(node.id, path: path, now: now) }
        }
        fileSystem.noteStoreChange()
        pinKeeper.pinsChanged()
        let asked = Set(nodes.map { String(decoding: $0.path, as: UTF8.self) })
        return try pins().filter { asked.contains($0.path) }
    }

    package func unpin(_ paths: [[UInt8]]) throws(ClientFailure) {
        for path in paths {
            let (pins, node) = try inStore { store throws(StoreError) in
                _ = try PinKeeper.pinned(store)
                return (try store.pins(), try TreePath.node(at: path, in: store))
            }
            if let pin = pins.first(where: { $0.path == path }) {
                try inStore { store throws(StoreError) in try store.removePin(pin.node) }
                continue
            }
            let shown = String(decoding: path, as: UTF8.self)
            let above = pins.first { path.starts(with: $0.path + [0x2F]) || $0.path.isEmpty }
            guard node != nil, let above else {
                throw ClientFailure(.failed, "“\(shown)” is not pinned", remedy: "See what is: dbxfs pin")
            }
            let folder =
                above.path.isEmpty ? "the mounted directory" : "“\(String(decoding: above.path, as: UTF8.self))”"
            throw ClientFailure(
                .failed, "“\(shown)” is pinned with \(folder)", remedy: "Unpin that, and pin what is to stay of it.")
        }
        fileSystem.noteStoreChange()
        pinKeeper.pinsChanged()
    }

    package func warmUp(
        _ paths: [[UInt8]], report: (FetchProgress) -> Bool
    ) throws(ClientFailure) -> FetchProgress {
        let nodes = try nodes(at: paths).map(\.node)
        try listAll(below: nodes)
        // Again after an eviction made room, and for what changed meanwhile.
        for _ in 0..<4 {
            var missing: [(number: BlockNumber, bytes: Int64)] = []
            let before = try content(of: nodes) { block in
                if block.cachedBytes == nil { missing.append((block.number, block.bytes)) }
            }
            var progress = before
            guard !missing.isEmpty else { return progress }
            var isWanted = true
            let failure = BlockGathering(blocks: fetcher).fetch(missing.map(\.number)) { count in
                progress.hereBytes =
                    before.hereBytes + missing[..<min(count, missing.count)].reduce(0) { $0 + $1.bytes }
                progress.bytesPerSecond = meter.rates().download
                isWanted = report(progress)
                return isWanted
            }
            guard isWanted else { return progress }
            guard let failure else { continue }
            guard failure == .local(.noSpace) else { throw Self.fetchFailure(failure) }
            try? fileSystem.synchronizeEverything()
        }
        let reached = try content(of: nodes) { _ in }
        guard reached.hereBytes == reached.bytes else { throw Self.fetchFailure(.local(.noSpace)) }
        return reached
    }

    package func evict(_ paths: [[UInt8]]) throws(ClientFailure) -> EvictReport {
        let nodes = try nodes(at: paths).map(\.node)
        var report = EvictReport()
        var walk = ContentWalk(nodes)
        while let files = try inStore({ store throws(StoreError) in try walk.step(store) }) {
            for file in files {
                let freed = try inStore { store throws(StoreError) in
                    var freed: Int64 = 0
                    for block in file.blocks { freed += try store.evict(block.number) }
                    return freed
                }
                report.files += freed > 0 ? 1 : 0
                report.bytes += freed
                report.pendingBytes += file.stagingBytes
                report.pinnedBytes += file.blocks.reduce(0) { $0 + ($1.isPinned ? $1.cachedBytes ?? 0 : 0) }
            }
        }
        // The room comes back with an epoch.
        try? fileSystem.synchronizeEverything()
        return report
    }

    package func cacheReport() throws(ClientFailure) -> CacheReport {
        var census = CacheCensus()
        while try inStore({ store throws(StoreError) in try census.step(store) }) {}
        let shares = census.shares.filter { $0.value != CacheCensus.Share() }
        let folders = try inStore { store throws(StoreError) in
            try shares.map { top, share throws(StoreError) in
                let path = try top.flatMap { number throws(StoreError) in try TreePath.path(of: number, in: store) }
                return CacheReport.Folder(
                    path: path.map { String(decoding: $0, as: UTF8.self) }, cachedBytes: share.cachedBytes,
                    pinnedBytes: share.pinnedBytes, pendingBytes: share.pendingBytes)
            }
        }.sorted {
            ($0.cachedBytes + $0.pendingBytes, $1.path ?? "") > ($1.cachedBytes + $1.pendingBytes, $0.path ?? "")
        }
        let free = (try? Paths.diskSpace(at: options.profile.dataDirectory).availableBytes) ?? 0
        return shared.withStore { store in
            CacheReport(
                cachedBytes: store.cachedBytes, limitBytes: store.configuration.cacheLimitBytes,
                pinnedBytes: folders.reduce(0) { $0 + $1.pinnedBytes }, pendingBytes: store.stagingBytes,
                diskFreeBytes: free, diskFloorBytes: store.configuration.freeSpaceFloorBytes, folders: folders)
        }
    }

    // MARK: Parts

    func listAll(below nodes: [LocalNode]) throws(ClientFailure) {
        var walk = ContentWalk(nodes)
        repeat {
            let folder = try inStore { store throws(StoreError) in try walk.unlisted(store) }
            guard let folder, let failure = lister.listAll(of: folder) else { continue }
            throw Self.fetchFailure(failure)
        } while try inStore({ store throws(StoreError) in try walk.step(store) }) != nil
    }

    /// How much of the files at and below the nodes is here; `take` is given each of their blocks once.
    private func content(
        of nodes: [LocalNode], take: (ContentBlock) -> Void
    ) throws(ClientFailure) -> FetchProgress {
        var walk = ContentWalk(nodes)
        var seen: Set<BlockNumber> = []
        var progress = FetchProgress()
        while let files = try inStore({ store throws(StoreError) in try walk.step(store) }) {
            progress.files += files.count
            for file in files {
                progress.bytes += file.stagingBytes
                progress.hereBytes += file.stagingBytes
                for block in file.blocks {
                    progress.bytes += block.bytes
                    if block.cachedBytes != nil { progress.hereBytes += block.bytes }
                    if seen.insert(block.number).inserted { take(block) }
                }
            }
        }
        return progress
    }

    private func nodes(at paths: [[UInt8]]) throws(ClientFailure) -> [(path: [UInt8], node: LocalNode)] {
        var found: [(path: [UInt8], node: LocalNode)] = []
        for path in paths {
            guard let node = try inStore({ store throws(StoreError) in try TreePath.node(at: path, in: store) }) else {
                throw ClientFailure(
                    .failed, "There is no “\(String(decoding: path, as: UTF8.self))”",
                    remedy: "See what there is with ls.")
            }
            guard node.kind == .directory || node.kind == .file else {
                throw ClientFailure(
                    .usage, "“\(String(decoding: path, as: UTF8.self))” has no content",
                    remedy: "Name files and folders.")
            }
            found.append((path, node))
        }
        return found
    }

    func inStore<Result>(
        _ body: (LocalStore) throws(StoreError) -> Result
    ) throws(ClientFailure) -> Result {
        do throws(StoreError) {
            return try shared.withStore(body)
        } catch {
            throw Self.storeFailure(error)
        }
    }

    private static func fetchFailure(_ failure: FetchFailure) -> ClientFailure {
        switch failure {
        case .serverAway, .timedOut:
            ClientFailure(
                .unreachable, "The server cannot be reached", remedy: "What came before it is here. Try again later.")
        case .local(.noSpace):
            ClientFailure(
                .failed, "There is no room for all of it",
                remedy:
                    "Mount with a larger --cache-size, free disk space, or unpin something (dbxfs cache shows what).")
        case .refused(let reason):
            ClientFailure(.failed, "The server refuses a part of it: \(reason)", remedy: "See: dbxfs status")
        default:
            ClientFailure(
                .failed, "A part of it cannot be had (\(failure.errno))",
                remedy: "The rest is here. The server's administrator can look for damage with dbxfs-server fsck.")
        }
    }
}
