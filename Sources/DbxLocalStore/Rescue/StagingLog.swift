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
///
/// All numbers are 8 bytes, big-endian; length and checksum of a batch 4 bytes. Guarded by the store's lock.
final class StagingLog {
    enum Record: Hashable {
        case bytes(node: InodeNumber, Range<Int64>, at: SegmentLocation)
        case none(node: InodeNumber, Range<Int64>)
        case name(node: InodeNumber, parent: InodeNumber, Name)
        case file(node: InodeNumber, size: Int64, allocated: Int64)
        case gone(node: InodeNumber)
    }

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

        func startWriting() { file.startWriting() }

        func sync() throws(Errno) {
            try file.syncData()
            guard let directory else { return }
            try Paths.rename(StagingLog.path(directory) + ".new", to: StagingLog.path(directory))
            try Paths.syncDirectory(directory)
        }
    }

    private static let largestLogBytes: Int64 = 8 << 20

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

    static func path(_ directory: String) -> String { directory + "/staging.log" }

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

    /// A batch may not have come to the disk.
    func distrust() {
        isStale = true
        records = []
        touched = []
    }

    // MARK: Batches

    /// Writes what has happened since the last batch; nil when that is nothing.
    func write(epoch: Int64, from store: LocalStore) throws(StoreError) -> Step? {
        if position > max(Self.largestLogBytes, 4 * wholeBytes) { distrust() }
        if !isStale, records.isEmpty, touched.isEmpty { return nil }
        do {
            if isStale { return try writeAnew(epoch: epoch, from: store) }
            for node in touched { try describe(node, in: store) }
            try append(batch: epoch)
            guard let file else { return nil }
            return Step(file: file, directory: nil)
        } catch {
            distrust()
            throw LocalStore.storeError(error)
        }
    }

    private func writeAnew(epoch: Int64, from store: LocalStore) throws -> Step? {
        isStale = false
        named = []
        for (node, extent) in try store.allStaging() { splice(node, extent.range, [extent], removesStaging: false) }
        for node in touched { try describe(node, in: store) }
        let path = Self.path(directory)
        file = try OpenFile(path: path + ".new", [.readWrite, .create, .truncate])
        position = 0
        try append(batch: epoch)
        wholeBytes = position
        return file.map { Step(file: $0, directory: directory) }
    }

    /// Size and place of a file that has changed, and the places of the directories above it.
    private func describe(_ number: InodeNumber, in store: LocalStore) throws {
        guard let node = try store.node(number), !node.isOrphan else { return }
        records.append(.file(node: number, size: node.size, allocated: node.allocatedBytes))
        var current = number
        while current != .root, !named.contains(current), let (parent, name) = try store.place(of: current) {
            place(current, in: parent, name)
            current = parent
        }
    }

    private func append(batch epoch: Int64) throws {
        var bytes = [UInt8](repeating: 0, count: 8)
        bytes.append(number: epoch)
        for record in records { record.encode(into: &bytes) }
        let payload = Array(bytes[8...])
        bytes.replaceSubrange(
            0..<8, with: UInt32(payload.count).bigEndianBytes + CRC32C.checksum(payload).bigEndianBytes)
        try file?.write(bytes, at: position)
        position += Int64(bytes.count)
        records.removeAll(keepingCapacity: records.count < 1 << 16)
        touched.removeAll(keepingCapacity: true)
    }
}

extension StagingLog.Record {
    fileprivate func encode(into bytes: inout [UInt8]) {
        switch self {
        case .bytes(let node, let range, let location):
            bytes.append(tag: 1, node, range)
            bytes.append(number: Int64(location.segment))
            bytes.append(number: location.position)
        case .none(let node, let range): bytes.append(tag: 2, node, range)
        case .name(let node, let parent, let name):
            bytes.append(3)
            for number in [node.rawValue, parent.rawValue, UInt64(name.bytes.count)] { bytes.append(number: number) }
            bytes += name.bytes
        case .file(let node, let size, let allocated):
            bytes.append(4)
            bytes.append(number: node.rawValue)
            bytes.append(number: size)
            bytes.append(number: allocated)
        case .gone(let node):
            bytes.append(5)
            bytes.append(number: node.rawValue)
        }
    }

    fileprivate init(_ reader: inout ByteReader) throws(StoreError) {
        let tag = try reader.number(1)
        let node = InodeNumber(rawValue: try reader.number(8))
        switch tag {
        case 1:
            let range = try reader.range()
            let segment = Int32(truncatingIfNeeded: try reader.number(8))
            let position = Int64(bitPattern: try reader.number(8))
            self = .bytes(node: node, range, at: SegmentLocation(segment: segment, position: position))
        case 2: self = .none(node: node, try reader.range())
        case 3:
            let parent = InodeNumber(rawValue: try reader.number(8))
            let count = Int(clamping: try reader.number(8))
            guard let name = Name(try reader.bytes(count)) else { throw .corrupt("a name in staging.log") }
            self = .name(node: node, parent: parent, name)
        case 4:
            let size = Int64(bitPattern: try reader.number(8))
            self = .file(node: node, size: size, allocated: Int64(bitPattern: try reader.number(8)))
        case 5: self = .gone(node: node)
        default: throw .corrupt("a record in staging.log")
        }
    }
}

extension StagingLog {
    /// All records of the whole batches of a log, up to an epoch.
    static func records(in directory: String, upTo epoch: Int64) throws(StoreError) -> [Record] {
        do {
            let file = try OpenFile(path: path(directory), .readOnly)
            var reader = ByteReader(try file.read(count: Int(clamping: try file.size()), at: 0))
            var records: [Record] = []
            while let payload = Self.payload(&reader) {
                var batch = ByteReader(payload)
                guard Int64(bitPattern: try batch.number(8)) <= epoch else { break }
                while !batch.isAtEnd { records.append(try Record(&batch)) }
            }
            return records
        } catch {
            throw LocalStore.storeError(error)
        }
    }

    private static func payload(_ reader: inout ByteReader) -> [UInt8]? {
        guard let length = try? reader.number(4), let checksum = try? reader.number(4),
            let payload = try? reader.bytes(Int(length)), UInt64(CRC32C.checksum(payload)) == checksum
        else { return nil }
        return payload
    }
}

extension ByteReader {
    fileprivate mutating func range() throws(StoreError) -> Range<Int64> {
        let offset = Int64(bitPattern: try number(8))
        let (end, overflow) = offset.addingReportingOverflow(Int64(bitPattern: try number(8)))
        guard offset >= 0, end >= offset, !overflow else { throw .corrupt("a range in staging.log") }
        return offset..<end
    }
}

extension [UInt8] {
    fileprivate mutating func append<Number: FixedWidthInteger>(number: Number) {
        // Safe: the number's bytes are lent for the call.
        unsafe Swift.withUnsafeBytes(of: number.bigEndian) { unsafe append(contentsOf: $0) }
    }

    fileprivate mutating func append(tag: UInt8, _ node: InodeNumber, _ range: Range<Int64>) {
        append(tag)
        append(number: node.rawValue)
        append(number: range.lowerBound)
        append(number: Int64(range.count))
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
