package import CurlHTTP
package import DbxClientAPI
import DbxContent
package import DbxLocalStore
package import DbxModel
package import DbxSystem
import DbxWire

/// Sends a file's content: cuts what the server lacks into blocks, has them uploaded in parallel, and works out the new
/// extents.
///
/// Sendable. `upload` blocks the calling thread; several files may be on their way at once. The block threads are shared
/// by all of them, and blocks of `maximumBytes` at most are in memory however large and many the files are.
package final class ContentUploader: Sendable {
    private let blocks: BlockUploader
    private let shared: SharedStore
    private let meter: TransferMeter
    private let threads: ThreadPool
    /// Bytes of content that may still be taken into memory. A block has its stored form beside it while it is sent.
    private let room = Monitor(maximumBytes)

    private static let maximumBytes = 32 << 20

    package init(
        api: any DbxAPI, namespace: NamespaceID, shared: SharedStore, keys: KeyringBox, meter: TransferMeter,
        entropy: any Entropy, threads count: Int = 16
    ) throws(Errno) {
        blocks = BlockUploader(
            api: api, namespace: namespace, shared: shared, keys: keys, meter: meter, entropy: entropy)
        self.shared = shared
        self.meter = meter
        threads = try ThreadPool(name: "dbxfs-upload", threads: count)
    }

    /// After every `upload` has been cancelled.
    package func shutdown() {
        blocks.stop()
        threads.shutdown()
    }

    /// The server says that it does not have these blocks.
    package func doubt(_ missing: [BlockID]) { blocks.doubt(missing) }

    /// To be called before the snapshot is taken: what the server has lost of the file becomes part of it.
    package func bringBackLost(_ number: InodeNumber) throws(UploadFailure) {
        try LostContentCopy(shared: shared).bringBack(number)
    }

    /// Returns when the server has every block of the snapshot, whose bytes must stay until then.
    package func upload(_ snapshot: UploadSnapshot, cancel: CancelToken) throws(UploadFailure) -> ContentUpload {
        let outcomes = Monitor(Outcomes())
        let bytes = snapshot.extents.reduce(0) { $0 + ($1.isStaging ? $1.length : 0) }
        meter.beginUpload(of: bytes)
        defer { meter.endUpload(left: max(0, bytes - outcomes.withLock { $0.sentBytes })) }
        return try upload(snapshot, outcomes, cancel: cancel)
    }

    private func upload(
        _ snapshot: UploadSnapshot, _ outcomes: Monitor<Outcomes>, cancel: CancelToken
    ) throws(UploadFailure) -> ContentUpload {
        let bases = BlockBases(snapshot, replacing: try replaced(by: snapshot))
        var reader = SnapshotReader(snapshot, segments: shared.segments, bases: bases)
        var source = BlockSource(reader.plan)
        var next = try nextBlock(&source, &reader)
        var index = 0
        while let block = next, !outcomes.withLock({ $0.hasFailed }), !cancel.isCancelled {
            takeRoom(block.bytes.count)
            // The last block, and so every small file, needs no other thread.
            next = try nextBlockOrSettle(&source, &reader, outcomes, holding: block.bytes.count)
            start(block, at: index, alone: next == nil, bases, outcomes, cancel)
            index += 1
        }
        let made = try wait(for: outcomes)
        if cancel.isCancelled { throw .cancelled }
        return try result(snapshot, made, contentHash: reader.finishHash())
    }

    // MARK: Blocks

    /// What has become of the blocks of one file.
    private struct Outcomes: Sendable {
        var outstanding = 0
        var sentBytes: Int64 = 0
        var made: [Int: (planned: PlannedBlock, block: CommittedBlock)] = [:]
        var failure: UploadFailure?
        var hasFailed: Bool { failure != nil }
    }

    private func nextBlock(
        _ source: inout BlockSource, _ reader: inout SnapshotReader
    ) throws(UploadFailure) -> BlockSource.Block? {
        do throws(Errno) {
            return try source.next { range throws(Errno) in try reader.read(range) }
        } catch {
            throw .local(.io(error))
        }
    }

    /// The same while blocks are under way: they end before a failure leaves.
    private func nextBlockOrSettle(
        _ source: inout BlockSource, _ reader: inout SnapshotReader, _ outcomes: Monitor<Outcomes>, holding bytes: Int
    ) throws(UploadFailure) -> BlockSource.Block? {
        do throws(UploadFailure) {
            return try nextBlock(&source, &reader)
        } catch {
            giveRoom(bytes)
            _ = try wait(for: outcomes)
            throw error
        }
    }

    private func start(
        _ block: BlockSource.Block, at index: Int, alone: Bool, _ bases: BlockBases, _ outcomes: Monitor<Outcomes>,
        _ cancel: CancelToken
    ) {
        outcomes.update { $0.outstanding += 1 }
        let job: @Sendable () -> Void = { [self] in
            let result = Result { () throws(UploadFailure) in try blocks.upload(block, bases, cancel: cancel) }
            giveRoom(block.bytes.count)
            if case .success = result { meter.countSent(content: Int64(block.bytes.count)) }
            outcomes.update { outcomes in
                outcomes.outstanding -= 1
                switch result {
                case .success(let made):
                    outcomes.made[index] = (block.planned, made)
                    outcomes.sentBytes += Int64(block.bytes.count)
                case .failure(let failure): outcomes.failure = outcomes.failure ?? failure
                }
            }
        }
        if alone || !threads.submit(.background, job) { job() }
    }

    private func wait(
        for outcomes: Monitor<Outcomes>
    ) throws(UploadFailure) -> [(planned: PlannedBlock, block: CommittedBlock)] {
        let settled = outcomes.wait { $0.outstanding == 0 ? $0 : nil }
        if let failure = settled?.failure { throw failure }
        return (settled?.made ?? [:]).sorted { $0.key < $1.key }.map(\.value)
    }

    private func takeRoom(_ bytes: Int) {
        _ = room.wait { room -> Bool? in
            guard room >= bytes else { return nil }
            room -= bytes
            return true
        }
    }

    private func giveRoom(_ bytes: Int) { room.update { $0 += bytes } }

    // MARK: Result

    private func result(
        _ snapshot: UploadSnapshot, _ made: [(planned: PlannedBlock, block: CommittedBlock)], contentHash: [UInt8]?
    ) throws(UploadFailure) -> ContentUpload {
        let kept = try keptExtents(of: snapshot)
        var list: ExtentList
        do throws(ExtentError) {
            list = try ExtentList(validating: kept)
        } catch {
            throw .local(.corrupt("the extents of a file (\(error))"))
        }
        var committed: [BlockID: CommittedBlock] = [:]
        for (planned, block) in made {
            for extent in planned.extents(in: block.id) { list.replace(extent.range, with: [extent]) }
            committed[block.id] = block
        }
        return ContentUpload(
            segments: snapshot.dirtyStretches.map { SegmentChange(index: $0, extents: list.segment($0)) },
            blocks: committed.values.sorted { $0.id < $1.id }, contentHash: contentHash)
    }

    private func replaced(by snapshot: UploadSnapshot) throws(UploadFailure) -> [Extent] {
        do throws(StoreError) {
            return try shared.withStore { store throws(StoreError) in try store.replacedContent(snapshot) }
        } catch {
            throw .local(error)
        }
    }

    /// What stands in blocks already, by their names.
    private func keptExtents(of snapshot: UploadSnapshot) throws(UploadFailure) -> [Extent] {
        do throws(StoreError) {
            return try shared.withStore { store throws(StoreError) in try store.named(snapshot.extents) }
        } catch {
            throw .local(error)
        }
    }
}
