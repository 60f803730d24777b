import DbxModel
import DbxSystem

/// Where the bytes lie that the server does not have, told a second time beside the segments: `segments/staging.log`. Read
/// only when `state.db` is damaged or gone, to save these bytes as files (`StoreRescue`).
///
/// A batch holds what has happened until an epoch began, and is written and synced with it, so that no page is named that
/// was given to something else. The first epoch after a start, and one that finds the log large, writes the log anew: all
/// that is staged is gathered for it before, a part at a time, while everything that changes meanwhile is recorded.
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
/// All numbers are 8 bytes, big-endian; length and checksum of a batch 4 bytes. Guarded by the store's lock; a `Step` is
/// carried out without it.
final class StagingLog {
    /// How far the records go, to take back those of an operation that failed.
    struct Mark {
        fileprivate let count: Int
        fileprivate let last: Record?
    }

    private static let largestLogBytes: Int64 = 8 << 20
    private static let roomBytes: Int64 = 2 << 20
    /// Pieces of unsent bytes: some milliseconds of work.
    static let gatheredAtOnce = 256

    private let directory: String
    private var file: OpenFile?
    private var position: Int64 = 0
    /// How long the log was when it was written anew.
    private var wholeBytes: Int64 = 0
    private enum Knowledge {
        /// Nothing is recorded: the log is to be written anew.
        case none
        /// What is staged is being gathered for that. Changes are recorded, so that it does not matter whether they come
        /// before or behind what is gathered.
        case gathering(after: StagedPlace)
        /// The records tell all that is staged.
        case gathered
        /// The log does, with the records behind it.
        case written
    }

    /// Since the last batch, or since gathering began.
    private var records: [Record] = []
    private var touched: Set<InodeNumber> = []
    /// Nodes whose place the log tells.
    private var named: Set<InodeNumber> = []
    private var knowledge = Knowledge.none
    /// Has not come to its end: behind it nothing can be read.
    private var underWay: Step?
    /// Of the log, and of the file that takes its place when it is written anew.
    private var room = LogRoom(bytes: roomBytes)
    private var spareRoom = LogRoom(bytes: roomBytes)

    static func path(_ directory: String) -> String { directory + "/staging.log" }
    static func sparePath(_ directory: String) -> String { path(directory) + ".new" }

    /// `directory`: that of the segments.
    init(directory: String) { self.directory = directory }

    // MARK: What happens

    private var isRecording: Bool {
        if case .none = knowledge { return false }
        return true
    }

    /// `range` of the file says `new` from now on; before it said something unsent, or does now.
    func splice(_ node: InodeNumber, _ range: Range<Int64>, _ new: [LocalExtent], removesStaging: Bool) {
        if !isRecording { return }
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

    func resize(_ node: InodeNumber) { if isRecording { touched.insert(node) } }

    func drop(_ node: InodeNumber) { if isRecording { records.append(.gone(node: node)) } }

    func place(_ node: InodeNumber, in parent: InodeNumber, _ name: Name) {
        if !isRecording { return }
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
    func finished() {
        guard let step = underWay else { return }
        position = step.position + step.writtenBytes
        underWay = nil
        guard step.directory != nil else { return }
        wholeBytes = position
        // The file that was kept for it is the log now.
        keepRoom()
    }

    /// A batch may not have come to the disk.
    func distrust() {
        knowledge = .none
        underWay = nil
        records = []
        touched = []
    }

    // MARK: Room

    /// Whether batches can be written while the disk is full.
    var hasRoom: Bool { !room.isShort && !spareRoom.isShort }

    func keepRoom() {
        if let file { try? room.keep(file, behind: position) }
        guard underWay == nil, !spareRoom.isKept else { return }
        try? spareRoom.keep(spare(), behind: 0)
    }

    /// The file that takes the log's place next time. What an attempt has left in it would be read as batches.
    private func spare() throws(Errno) -> OpenFile {
        let file = try OpenFile(path: Self.sparePath(directory), [.readWrite, .create])
        if try file.size() != 0 { try file.setSize(0) }
        return file
    }

    // MARK: Gathering

    /// Gathers some of what is staged where the log is to be written anew; whether there is more.
    func gather(_ count: Int, from store: LocalStore) throws(StoreError) -> Bool {
        let place: StagedPlace
        switch knowledge {
        case .written where underWay == nil && position > max(Self.largestLogBytes, 4 * wholeBytes):
            distrust()
            place = .first
        case .none: place = .first
        case .gathering(let last): place = last
        case .gathered, .written: return false
        }
        if case .none = knowledge { named = [] }
        do {
            let staged = try store.staging(after: place, count)
            let isLast = staged.count < count
            knowledge = isLast ? .gathered : .gathering(after: staged.last?.place ?? place)
            for (place, extent) in staged {
                guard case .staging(let location, _) = extent.source else { continue }
                append(.bytes(node: place.node, extent.range, at: location))
            }
            var ways: Set<InodeNumber> = []
            try describe(Set(staged.map(\.place.node)), in: store, &ways)
            return !isLast
        } catch {
            distrust()
            throw LocalStore.storeError(error)
        }
    }

    // MARK: Batches

    /// What has happened since the last batch, to be written; nil when that is nothing.
    func begin(epoch: Int64, from store: LocalStore) throws(StoreError) -> Step? {
        if underWay != nil { distrust() }
        while try gather(Self.gatheredAtOnce, from: store) {}
        if case .written = knowledge, records.isEmpty, touched.isEmpty { return nil }
        do {
            var ways: Set<InodeNumber> = []
            for case .name(_, let parent, _) in records { try tellPlaces(from: parent, in: store, &ways) }
            try describe(touched, in: store, &ways)
            return try takeStep(epoch: epoch, unsettled: store.unsettledPages)
        } catch {
            distrust()
            throw LocalStore.storeError(error)
        }
    }

    private func takeStep(epoch: Int64, unsettled: Set<SegmentPage>) throws(Errno) -> Step? {
        var isAnew = false
        if case .gathered = knowledge {
            isAnew = true
            file = try spare()
            room = spareRoom
            spareRoom = LogRoom(bytes: max(Self.roomBytes, 2 * wholeBytes))
            position = 0
        }
        guard let file else { return nil }
        let step = Step(
            file: file, directory: isAnew ? directory : nil, position: position, epoch: epoch, records: records,
            unsettled: unsettled)
        knowledge = .written
        underWay = step
        records.removeAll(keepingCapacity: records.count < 1 << 16)
        touched.removeAll(keepingCapacity: true)
        return step
    }

    /// What the files are that have changed, and the places of the directories above all that is named.
    private func describe(
        _ numbers: Set<InodeNumber>, in store: LocalStore, _ ways: inout Set<InodeNumber>
    ) throws {
        for number in numbers {
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
