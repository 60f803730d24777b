import DbxModel
import DbxSystem
import Synchronization

extension StagingLog {
    /// A batch that is to be written, without the lock; also the new log under its name, where it is the first of one.
    final class Step: Sendable {
        private let file: OpenFile
        /// Of a log written anew, which is not yet under its name.
        let directory: String?
        /// Where the batch goes.
        let position: Int64
        private let epoch: Int64
        private let records: [Record]
        /// Pages that may be written to still.
        private let unsettled: Set<SegmentPage>
        private let written = Atomic<Int64>(0)

        init(
            file: OpenFile, directory: String?, position: Int64, epoch: Int64, records: [Record],
            unsettled: Set<SegmentPage>
        ) {
            self.file = file
            self.directory = directory
            self.position = position
            self.epoch = epoch
            self.records = records
            self.unsettled = unsettled
        }

        /// How long the batch is, and that of its checksums, once they are written.
        var writtenBytes: Int64 { written.load(ordering: .acquiring) }

        /// Makes the checksums, from what has just been written, while the bytes are on their way to the disk.
        func write(sumsOf files: SegmentFiles) throws(Errno) {
            let batch = StagingLog.batch(epoch: epoch, records)
            try file.write(batch, at: position)
            let sums = try StagingSumsBatch(epoch: epoch, records: records, except: unsettled).bytes(files)
            if !sums.isEmpty { try file.write(sums, at: position + Int64(batch.count)) }
            written.store(Int64(batch.count + sums.count), ordering: .releasing)
            file.startWriting()
        }

        func sync() throws(Errno) {
            try file.syncData()
            guard let directory else { return }
            try Paths.rename(StagingLog.sparePath(directory), to: StagingLog.path(directory))
            try Paths.syncDirectory(directory)
        }
    }

    /// Where unsent bytes stand among all of them, in the order in which they are gathered.
    struct StagedPlace: Sendable {
        static let first = StagedPlace(segment: -1, node: .root, start: 0)

        var segment: Int32
        var node: InodeNumber
        var start: Int64
    }
}

extension LocalStore {
    /// Gathers a part of what the next epoch has to tell, where that is much: to be called until it says that there is no
    /// more, so that nobody has to wait for all of it.
    package func prepareEpoch(_ count: Int? = nil) throws(StoreError) -> Bool {
        try stagingLog.gather(count ?? StagingLog.gatheredAtOnce, from: self)
    }

    /// Some of the unsent bytes, behind `place`.
    func staging(
        after place: StagingLog.StagedPlace, _ count: Int
    ) throws -> [(place: StagingLog.StagedPlace, extent: LocalExtent)] {
        try query(
            """
            SELECT start, length, block, segment, place, epoch, node FROM content
            WHERE block IS NULL AND (segment, node, start) > (?, ?, ?) ORDER BY segment, node, start LIMIT ?
            """,
            [Int64(place.segment).sqlValue, place.node.sqlValue, place.start.sqlValue, Int64(count).sqlValue]
        ) { row in
            let extent = try Self.extent(row)
            guard case .staging(let location, _) = extent.source else { throw StoreError.corrupt("an extent's row") }
            let place = StagingLog.StagedPlace(
                segment: location.segment, node: InodeNumber(row[6]), start: extent.offset)
            return (place, extent)
        }
    }

    /// A name that leads to the node.
    func place(of number: InodeNumber) throws -> (InodeNumber, Name)? {
        try queryOne("SELECT parent, name FROM entries WHERE child = ? LIMIT 1", [number.sqlValue]) { row in
            guard let name = Name(row.bytes(1)) else { throw StoreError.corrupt("an entry's row") }
            return (InodeNumber(row[0]), name)
        }
    }
}
