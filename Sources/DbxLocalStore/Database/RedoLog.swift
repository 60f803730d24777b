import DbxSystem

/// Changes of the database that its own log does not have yet: `state.log`.
///
/// SQLite's transaction stays open over many operations of the store, for its commit costs more than they do. What they
/// run is appended here, one record an operation, so that a killed process loses none: the next start runs the records
/// again. A record is the number of the operation, its statements and their values; statements are deterministic.
///
///     record    := length u32, CRC-32C of payload u32, payload
///     payload   := generation u64, operation u64, { statement }
///     statement := number u16, text length u32, text (both 0 when the number has been given a text before), count u8, { value }
///     value     := 0 | 1 integer i64 | 2 length u32, bytes | 3 length u32, text
///
/// All numbers are little-endian. Records of one generation stand one behind the other from the beginning of the file;
/// after a commit of the database the next generation begins there. Never synced, and ignored after a power cut.
final class RedoLog {
    /// Which number a statement's text has in which generation.
    final class Mark {
        fileprivate var generation: UInt64 = 0
        fileprivate var number: UInt16 = 0
    }

    struct Record {
        var operation: UInt64
        var statements: [(text: String, values: [SQLValue])]
    }

    private static let headerBytes = 24
    /// What a record of usual size does not exceed.
    private static let usualBytes: Int64 = 256 << 10

    let file: OpenFile
    private var generation: UInt64
    /// Which marks count: changes whenever the texts named so far are forgotten.
    private var naming: UInt64 = 1
    private var nextNumber: UInt16 = 0
    private var record: [UInt8] = []
    /// Ahead of the records, so that a full disk is met before an operation begins.
    private var room = LogRoom(bytes: 4 << 20)
    /// Where the next record goes: the bytes that the log holds.
    private(set) var position: Int64 = 0
    /// Whether the record under way holds anything.
    private(set) var isStarted = false

    /// `generation` must be another one than those in the file: random.
    init(path: String, generation: UInt64) throws(Errno) {
        file = try OpenFile(path: path, [.readWrite, .create])
        self.generation = generation
        record.reserveCapacity(64 << 10)
    }

    /// Forgets all records in the file: they are not what happened.
    func clear() throws(Errno) { try file.setSize(0) }

    /// Whether the disk had as much room as is to be set aside.
    var hasRoom: Bool { !room.isShort }

    /// Makes sure that a record of usual size can be written: to undo an operation that could not be, all records are run
    /// again.
    func makeRoom() throws(Errno) {
        if room.isShort, room.holds(Self.usualBytes, at: position) { return }
        do {
            try keepRoom()
        } catch {
            guard error == .noSpace, room.holds(Self.usualBytes, at: position) else { throw error }
        }
    }

    /// Sets room aside unless there is enough.
    func keepRoom() throws(Errno) { try room.keep(file, behind: position) }

    /// Whether the disk can be written to: sets room aside.
    func probe() throws(Errno) { try room.take(file, behind: position) }

    // MARK: Writing

    /// Adds a statement to the record under way.
    func add(_ text: String, _ mark: Mark, _ values: [SQLValue]) {
        if !isStarted {
            isStarted = true
            record.append(contentsOf: repeatElement(0, count: Self.headerBytes))
        }
        if mark.generation == naming {
            append(mark.number)
            append(UInt32(0))
        } else {
            mark.generation = naming
            mark.number = nextNumber
            nextNumber += 1
            append(mark.number)
            append(Array(text.utf8))
        }
        record.append(UInt8(truncatingIfNeeded: values.count))
        for value in values { append(value) }
    }

    /// Writes the record under way as that of `operation`.
    func finish(operation: UInt64) throws(Errno) {
        put(generation, at: 8)
        put(operation, at: 16)
        put(UInt32(record.count - 8), at: 0)
        // Safe: the buffer is lent for the call.
        put(unsafe record.withUnsafeBytes { unsafe Self.checksum($0) }, at: 4)
        try file.write(record, at: position)
        position += Int64(record.count)
        forgetRecord()
    }

    /// The record under way did not happen. Texts that it named are named again, from the first number on.
    func abandon() {
        forgetRecord()
        renumber()
    }

    /// The database has everything: the next record is the first of a new generation.
    func restart() {
        forgetRecord()
        generation &+= 1
        position = 0
        renumber()
    }

    private func forgetRecord() {
        record.removeAll(keepingCapacity: record.capacity <= 4 << 20)
        isStarted = false
    }

    private func renumber() {
        naming &+= 1
        nextNumber = 0
    }

    private func append(_ value: SQLValue) {
        switch value {
        case .null: record.append(0)
        case .integer(let number):
            record.append(1)
            append(UInt64(bitPattern: number))
        case .bytes(let bytes):
            record.append(2)
            append(bytes)
        case .text(let text):
            record.append(3)
            append(Array(text.utf8))
        }
    }

    private func append(_ bytes: [UInt8]) {
        append(UInt32(truncatingIfNeeded: bytes.count))
        record.append(contentsOf: bytes)
    }

    private func append<Number: FixedWidthInteger>(_ number: Number) {
        // Safe: the number's bytes are lent for the call.
        unsafe withUnsafeBytes(of: number.littleEndian) { unsafe record.append(contentsOf: $0) }
    }

    private func put<Number: FixedWidthInteger>(_ number: Number, at offset: Int) {
        unsafe withUnsafeBytes(of: number.littleEndian) { bytes in
            unsafe record.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        }
    }

    /// Of a whole record: everything behind length and checksum.
    private static func checksum(_ record: UnsafeRawBufferPointer) -> UInt32 {
        unsafe CRC32C.checksum(UnsafeRawBufferPointer(rebasing: record[8...]))
    }
}
