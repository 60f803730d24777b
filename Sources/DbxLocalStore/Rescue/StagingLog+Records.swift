import DbxModel
import DbxSystem

extension StagingLog {
    enum Record: Hashable, Sendable {
        case bytes(node: InodeNumber, Range<Int64>, at: SegmentLocation)
        case none(node: InodeNumber, Range<Int64>)
        case name(node: InodeNumber, parent: InodeNumber, Name)
        case file(node: InodeNumber, size: Int64, allocated: Int64)
        case gone(node: InodeNumber)
        case identity(node: InodeNumber, StagedIdentity)
        /// Of consecutive pages; without bytes where there is none.
        case sums(first: SegmentPage, [StagingSums.Sum])
    }
}

/// What a file with unsent bytes is to the server, and what it looks like.
struct StagedIdentity: Hashable, Sendable {
    var id: NodeID
    /// The state of its content that was agreed.
    var base: Seq
    var mode: UInt16
    var mtime: Timestamp
}

extension StagingLog.Record {
    func encode(into bytes: inout [UInt8]) {
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
        case .identity(let node, let identity):
            bytes.append(6)
            bytes.append(number: node.rawValue)
            bytes += identity.id.bytes
            bytes.append(number: identity.base.value)
            bytes.append(number: UInt64(identity.mode))
            bytes.append(number: identity.mtime.nanoseconds)
        case .sums(let first, let sums):
            bytes.append(7)
            for number in [Int64(first.segment), Int64(first.index), Int64(sums.count)] { bytes.append(number: number) }
            for sum in sums {
                bytes.append(number: sum.from)
                bytes.append(number: sum.to)
                bytes.append(number: sum.checksum)
            }
        }
    }

    fileprivate init(_ reader: inout ByteReader) throws(StoreError) {
        let tag = try reader.number(1)
        if tag == 7 {
            self = try Self.sums(&reader)
            return
        }
        let node = InodeNumber(rawValue: try reader.number(8))
        switch tag {
        case 1:
            let range = try reader.range()
            let segment = Int32(truncatingIfNeeded: try reader.number(8))
            let position = try reader.signed()
            self = .bytes(node: node, range, at: SegmentLocation(segment: segment, position: position))
        case 2: self = .none(node: node, try reader.range())
        case 3:
            let parent = InodeNumber(rawValue: try reader.number(8))
            let count = Int(clamping: try reader.number(8))
            guard let name = Name(try reader.bytes(count)) else { throw .corrupt("a name in staging.log") }
            self = .name(node: node, parent: parent, name)
        case 4:
            let size = try reader.signed()
            self = .file(node: node, size: size, allocated: try reader.signed())
        case 5: self = .gone(node: node)
        case 6:
            guard let id = NodeID(bytes: try reader.bytes(16)) else { throw .corrupt("an id in staging.log") }
            let base = Seq(try reader.signed())
            let mode = UInt16(truncatingIfNeeded: try reader.number(8))
            let mtime = Timestamp(nanoseconds: try reader.signed())
            self = .identity(node: node, StagedIdentity(id: id, base: base, mode: mode, mtime: mtime))
        default: throw .corrupt("a record in staging.log")
        }
    }

    private static func sums(_ reader: inout ByteReader) throws(StoreError) -> Self {
        let segment = Int32(truncatingIfNeeded: try reader.number(8))
        let first = try reader.signed()
        let count = try reader.signed()
        let pages = SegmentFiles.segmentBytes / SpaceMap.pageBytes
        guard first >= 0, count >= 0, first <= pages, count <= pages - first else {
            throw .corrupt("pages in staging.log")
        }
        var sums: [StagingSums.Sum] = []
        for _ in 0..<count {
            let from = UInt16(truncatingIfNeeded: try reader.number(2))
            let to = UInt16(truncatingIfNeeded: try reader.number(2))
            guard from <= to, to <= SpaceMap.pageBytes else { throw .corrupt("a page in staging.log") }
            sums.append(
                StagingSums.Sum(from: from, to: to, checksum: UInt32(truncatingIfNeeded: try reader.number(4))))
        }
        return .sums(first: SegmentPage(segment: segment, index: Int32(first)), sums)
    }
}

extension StagingLog {
    /// What can be read of a log.
    struct Contents {
        var batches: [(epoch: Int64, records: [Record])] = []
        /// Where the log goes on unreadably; nil where it does not.
        var damagedAt: Int64?
    }

    /// The whole batches of a log, up to an epoch.
    static func contents(in directory: String, upTo epoch: Int64 = .max) throws(StoreError) -> Contents {
        do {
            let file = try OpenFile(path: path(directory), .readOnly)
            let bytes = try file.read(count: Int(clamping: try file.size()), at: 0)
            var contents = Contents()
            var position = 0
            while position < bytes.count {
                guard let payload = payload(bytes[position...]), let batch = batch(payload) else {
                    contents.damagedAt = Int64(position)
                    break
                }
                if batch.epoch > epoch { break }
                contents.batches.append(batch)
                position += 8 + payload.count
            }
            return contents
        } catch {
            throw LocalStore.storeError(error)
        }
    }

    /// Forgets what was lost with the power: behind the last epoch on the disk the log may tell of a future that never came,
    /// which a process of this boot would believe once it is named as the one that wrote it.
    static func forget(behind epoch: Int64, in directory: String) throws(Errno) {
        guard Paths.exists(path(directory)) else { return }
        let file = try OpenFile(path: path(directory), .readWrite)
        let bytes = try file.read(count: Int(clamping: try file.size()), at: 0)
        var position = 0
        while position < bytes.count, let payload = payload(bytes[position...]), let batch = batch(payload) {
            if batch.epoch > epoch { return try file.setSize(Int64(position)) }
            position += 8 + payload.count
        }
    }

    private static func payload(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
        guard bytes.count >= 8 else { return nil }
        let payload = bytes.dropFirst(8).prefix(Int(bytes.prefix(4).bigEndianValue))
        guard UInt64(payload.count) == bytes.prefix(4).bigEndianValue else { return nil }
        let checksum = bytes.dropFirst(4).prefix(4).bigEndianValue
        return UInt64(CRC32C.checksum(Array(payload))) == checksum ? Array(payload) : nil
    }

    private static func batch(_ payload: [UInt8]) -> (epoch: Int64, records: [Record])? {
        do throws(StoreError) {
            var reader = ByteReader(payload)
            let epoch = try reader.signed()
            var records: [Record] = []
            while !reader.isAtEnd { records.append(try Record(&reader)) }
            return (epoch, records)
        } catch {
            return nil
        }
    }
}

extension ByteReader {
    fileprivate mutating func signed() throws(StoreError) -> Int64 { Int64(bitPattern: try number(8)) }

    fileprivate mutating func range() throws(StoreError) -> Range<Int64> {
        let offset = Int64(bitPattern: try number(8))
        let (end, overflow) = offset.addingReportingOverflow(Int64(bitPattern: try number(8)))
        guard offset >= 0, end >= offset, !overflow else { throw .corrupt("a range in staging.log") }
        return offset..<end
    }
}

extension [UInt8] {
    mutating func append<Number: FixedWidthInteger>(number: Number) {
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
