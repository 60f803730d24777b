import DbxModel
import DbxSystem

/// What of the store is on the disk for certain: everything up to a commit of SQLite, with the bytes that it names. In
/// `state.epoch`, in two slots that are written in turn, so that the last whole one is always there.
///
///     slot := magic u64, number u64, salt u64, frames u64, operation u64, boot id 64 bytes, CRC-32C of what stands before u32
///
/// Big-endian; the slots begin at 0 and 4096.
struct EpochRecord: Hashable, Sendable {
    static let fileName = "state.epoch"
    private static let magic: UInt64 = 0x6462_7866_7365_7032
    private static let slotBytes: Int64 = 4_096
    private static let recordBytes = 108

    var number: Int64
    /// The end of the last commit in SQLite's log.
    var position: WriteAheadLog.Position
    /// The last operation of that commit: a database that does not have it is damaged.
    var operation: UInt64
    /// Of the machine's boot in which the record was written.
    var boot: [UInt8]

    /// Writes the record over the older one and waits until it is on the disk.
    func write(in directory: String) throws(Errno) {
        let file = try OpenFile(path: "\(directory)/\(Self.fileName)", [.readWrite, .create])
        let slots = try Self.slots(of: file)
        let isFirstNewer = (slots[0]?.number ?? .min) > (slots[1]?.number ?? .min)
        try file.write(encoded, at: isFirstNewer ? Self.slotBytes : 0)
        try file.syncData()
    }

    /// The newest whole record; nil where there never was one.
    static func read(in directory: String) throws(Errno) -> EpochRecord? {
        let file = try OpenFile(path: "\(directory)/\(Self.fileName)", [.readWrite, .create])
        return try slots(of: file).compactMap(\.self).max { $0.number < $1.number }
    }

    /// Whether both slots can be read; the power may have gone while one was written.
    static func isWhole(in directory: String) throws(Errno) -> Bool {
        let file = try OpenFile(path: "\(directory)/\(fileName)", [.readWrite, .create])
        return try slots(of: file).allSatisfy { $0 != nil }
    }

    private static func slots(of file: OpenFile) throws(Errno) -> [EpochRecord?] {
        [
            EpochRecord(encoded: try file.read(count: recordBytes, at: 0)),
            EpochRecord(encoded: try file.read(count: recordBytes, at: slotBytes)),
        ]
    }

    private var encoded: [UInt8] {
        var bytes = Self.magic.bigEndianBytes + number.bigEndianBytes
        bytes += position.salt.bigEndianBytes + position.frames.bigEndianBytes
        bytes += operation.bigEndianBytes
        bytes += (boot + [UInt8](repeating: 0, count: 64)).prefix(64)
        return bytes + CRC32C.checksum(bytes).bigEndianBytes
    }

    private init?(encoded bytes: [UInt8]) {
        guard bytes.count == Self.recordBytes, bytes.prefix(8).bigEndianValue == Self.magic,
            UInt64(CRC32C.checksum(Array(bytes.dropLast(4)))) == bytes.suffix(4).bigEndianValue
        else { return nil }
        number = Int64(bitPattern: bytes[8..<16].bigEndianValue)
        position = WriteAheadLog.Position(
            salt: bytes[16..<24].bigEndianValue, frames: Int64(bitPattern: bytes[24..<32].bigEndianValue))
        operation = bytes[32..<40].bigEndianValue
        boot = Array(bytes[40..<104])
    }

    init(number: Int64, position: WriteAheadLog.Position, operation: UInt64, boot: [UInt8]) {
        self.number = number
        self.position = position
        self.operation = operation
        self.boot = Array((boot + [UInt8](repeating: 0, count: 64)).prefix(64))
    }

    /// Whether the machine has been running ever since: then nothing that was written is lost.
    func isOf(boot: [UInt8]) -> Bool {
        self.boot == EpochRecord(number: 0, position: position, operation: 0, boot: boot).boot
    }
}
