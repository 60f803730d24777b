import DbxModel
import DbxSystem

/// Where the bytes lie that the server does not have, told a second time beside the segments: `segments/staging.log`. Read
/// only when `state.db` is damaged or gone, to save these bytes as files (`StoreRescue`).
///
/// A batch of records is appended when an epoch begins and synced with it, so that no page is named that was given to
/// something else. The first epoch after a start, and one that finds the log large, writes the log anew.
///
///     batch  := length u32, CRC-32C of payload u32, payload
///     payload := epoch u64, { record }
///     record := 1 node, offset, length, segment, position   unsent bytes there, whatever was said before
///             | 2 node, offset, length                      none there
///             | 3 node, parent, length of name, name        where a node is
///             | 4 node, size, bytes that are no holes
///             | 5 node                                      nothing of it is unsent
///             | 6 node, id 16 bytes, content's seq, mode, mtime
///             | 7 segment, first page, count, { from u16, to u16, CRC-32C of these bytes u32 }
///
/// A second batch of an epoch has the checksums (7) of the pages that the first one names: they are made without the lock.
/// All numbers are 8 bytes, big-endian; length and checksum of a batch 4 bytes. Guarded by the store's lock.
final class StagingLog {
    /// How far the records go, to take back those of an operation that failed.
    struct Mark {
        fileprivate let count: Int
        fileprivate let last: Record?
    }

    /// What is left to do for a batch, without the lock.
    struct Step: Sendable {
        fileprivate let file: OpenFile
        /// Of a log written anew, which is not yet under its name.
        fileprivate let directory: String?
        /// The batch of checksums, and where its place is.
        fileprivate let sums: StagingSumsBatch
        fileprivate let position: Int64

        /// Makes the checksums while the bytes are on their way to the disk.
        func writeSums(of files: SegmentFiles) throws(Errno) {
            let batch = try sums.bytes(files)
            if !batch.isEmpty { try file.write(batch, at: position) }
            file.startWriting()
        }

        func sync() throws(Errno) {
            try file.syncData()
            guard let directory else { return }
            try Paths.rename(StagingLog.sparePath(directory), to: StagingLog.path(directory))
            try Paths.syncDirectory(directory)
        }
    }

    private static let largestLogBytes: Int64 = 8 << 20
    private static let roomBytes: Int64 = 2 << 20

    private let directory: String
    private var file: OpenFile?
    private var position: Int64 = 0
    /// How long the log was when it was written anew.
    private var wholeBytes: Int64 = 0
    /// Since the last batch. Nothing is collected before the log is written anew.
    private var records: [Record] = []
    private var touched: Set<InodeNumber> = []
    /// Nodes whose place the log tells.
    private var named: Set<InodeNumber> = []
    private var isStale = true
    /// The last step has not come to its end: behind it nothing can be read.
    private var isUnderWay = false
    /// Of the log, and of the file that takes its place when it is written anew.
    private var room = LogRoom(bytes: roomBytes)
    private var spareRoom = LogRoom(bytes: roomBytes)

    static func path(_ directory: String) -> String { directory + "/staging.log" }
    private static func sparePath(_ directory: String) -> String { path(directory) + ".new" }

    /// `directory`: that of the segments.
    init(directory: String) { self.directory = directory }

    // MARK: What happens

    /// `range` of the file says `new` from now on; before it said something unsent, or does now.
    func splice(_ node: InodeNumber, _ range: Range<Int64>, _ new: [LocalExtent], removesStaging: Bool) {
        if isStale { return }
        touched.insert(node)
        if removesStaging, new.first?.range != range || new.first?.isStaging != true {
            records.append(.none(node: node, range))
        }
        for extent in new {
            guard case .staging(let location, _) = extent.source else { continue }
            append(.bytes(node: node, extent.range, at: location))
        }
    }

    /// Joins writes that go on where the last one ended.
    private func append(_ record: Record) {
        if case .bytes(let node, let range, let location) = record,
            case .bytes(node, let before, let start)? = records.last, before.upperBound == range.lowerBound,
            start.advanced(by: Int64(before.count)) == location
        {
            records[records.count - 1] = .bytes(node: node, before.lowerBound..<range.upperBound, at: start)
        } else {
            records.append(record)
        }
    }

    func resize(_ node: InodeNumber) { if !isStale { touched.insert(node) } }

    func drop(_ node: InodeNumber) { if !isStale { records.append(.gone(node: node)) } }

    func place(_ node: InodeNumber, in parent: InodeNumber, _ name: Name) {
        if isStale { return }
        records.append(.name(node: node, parent: parent, name))
        named.insert(node)
    }

    var mark: Mark { Mark(count: records.count, last: records.last) }

    func undo(to mark: Mark) {
        guard records.count >= mark.count else { return }
        for case .name(let node, _, _) in records[mark.count...] { named.remove(node) }
        guard let last = mark.last else { return records.removeAll() }
        records.removeSubrange(mark.count...)
        records[mark.count - 1] = last
    }

    /// The last step has come to the disk.
    func finished() { isUnderWay = false }

    /// A batch may not have come to the disk.
    func distrust() {
        isStale = true
        isUnderWay = false
        records = []
        touched = []
    }

    // MARK: Room

    /// Whether batches can be written while the disk is full.
    var hasRoom: Bool { !room.isShort && !spareRoom.isShort }

    func keepRoom() {
        if let file { try? room.keep(file, behind: position) }
        guard !isUnderWay, !spareRoom.isKept else { return }
        try? spareRoom.keep(spare(), behind: 0)
    }

    /// The file that takes the log's place next time. What an attempt has left in it would be read as batches.
    private func spare() throws(Errno) -> OpenFile {
        let file = try OpenFile(path: Self.sparePath(directory), [.readWrite, .create])
        if try file.size() != 0 { try file.setSize(0) }
        return file
    }

    // MARK: Batches

    /// Writes what has happened since the last batch; nil when that is nothing.
    func write(epoch: Int64, from store: LocalStore) throws(StoreError) -> Step? {
        if isUnderWay || position > max(Self.largestLogBytes, 4 * wholeBytes) { distrust() }
        if !isStale, records.isEmpty, touched.isEmpty { return nil }
        do {
            if isStale { return try writeAnew(epoch: epoch, from: store) }
            try describe(in: store)
            return try append(batch: epoch, unsettled: store.unsettledPages, directory: nil)
        } catch {
            distrust()
            throw LocalStore.storeError(error)
        }
    }

    private func writeAnew(epoch: Int64, from store: LocalStore) throws -> Step? {
        isStale = false
        named = []
        for (node, extent) in try store.allStaging() { splice(node, extent.range, [extent], removesStaging: false) }
        try describe(in: store)
        file = try spare()
        room = spareRoom
        spareRoom = LogRoom(bytes: max(Self.roomBytes, 2 * wholeBytes))
        position = 0
        let step = try append(batch: epoch, unsettled: store.unsettledPages, directory: directory)
        wholeBytes = position
        return step
    }

    /// What the files are that have changed, and the places of the directories above all that is named.
    private func describe(in store: LocalStore) throws {
        var ways: Set<InodeNumber> = []
        for case .name(_, let parent, _) in records { try tellPlaces(from: parent, in: store, &ways) }
        for number in touched {
            guard let node = try store.node(number), !node.isOrphan else { continue }
            records.append(.file(node: number, size: node.size, allocated: node.allocatedBytes))
            let identity = StagedIdentity(
                id: node.id, base: node.contentSeq, mode: node.attributes.mode, mtime: node.attributes.mtime)
            records.append(.identity(node: number, identity))
            try tellPlaces(from: number, in: store, &ways)
        }
    }

    /// Up to the root, also where the first ones are told already: what is above them may not be.
    private func tellPlaces(from number: InodeNumber, in store: LocalStore, _ ways: inout Set<InodeNumber>) throws {
        var current = number
        while current != .root, ways.insert(current).inserted, let (parent, name) = try store.place(of: current) {
            if !named.contains(current) { place(current, in: parent, name) }
            current = parent
        }
    }

    /// `unsettled`: pages that may be written to still.
    private func append(batch epoch: Int64, unsettled: Set<SegmentPage>, directory: String?) throws -> Step? {
        let sums = StagingSumsBatch(epoch: epoch, records: records, except: unsettled)
        let bytes = Self.batch(epoch: epoch, records)
        try file?.write(bytes, at: position)
        position += Int64(bytes.count)
        defer { position += sums.encodedBytes }
        isUnderWay = true
        records.removeAll(keepingCapacity: records.count < 1 << 16)
        touched.removeAll(keepingCapacity: true)
        return file.map { Step(file: $0, directory: directory, sums: sums, position: position) }
    }

    static func batch(epoch: Int64, _ records: [Record]) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 8)
        bytes.append(number: epoch)
        for record in records { record.encode(into: &bytes) }
        let payload = Array(bytes[8...])
        bytes.replaceSubrange(
            0..<8, with: UInt32(payload.count).bigEndianBytes + CRC32C.checksum(payload).bigEndianBytes)
        return bytes
    }
}

extension LocalStore {
    /// All unsent bytes.
    fileprivate func allStaging() throws -> [(InodeNumber, LocalExtent)] {
        try query(
            """
            SELECT start, length, block, segment, place, epoch, node FROM content WHERE block IS NULL
            ORDER BY node, start
            """, []
        ) { (InodeNumber($0[6]), try Self.extent($0)) }
    }

    /// A name that leads to the node.
    fileprivate func place(of number: InodeNumber) throws -> (InodeNumber, Name)? {
        try queryOne("SELECT parent, name FROM entries WHERE child = ? LIMIT 1", [number.sqlValue]) { row in
            guard let name = Name(row.bytes(1)) else { throw StoreError.corrupt("an entry's row") }
            return (InodeNumber(row[0]), name)
        }
    }
}
