package import DbxSystem
import Synchronization

/// The large files that hold staging bytes and cached blocks: plain bytes at places that the store hands out.
///
/// Thread-safe; a small mutex guards the table of open files and is never held during I/O. As many are open as `openLimit`
/// says, whatever their number: what a closed one failed to write is told to the next who opens it (fsync(2)).
package final class SegmentFiles: Sendable {
    package static let segmentBytes: Int64 = 64 << 20

    /// Of staged bytes.
    package let sums = StagingSums()
    let directory: String
    private let openLimit: Int
    private let files = Mutex<[Int32: OpenFile]>([:])
    /// Whether a segment was made whose name may not be on the disk yet.
    private let hasNewNames = Atomic(false)

    init(directory: String, openLimit: Int = 128) throws(Errno) {
        self.directory = directory
        self.openLimit = openLimit
        try Paths.createPrivateDirectory(directory)
    }

    private func path(_ segment: Int32) -> String { "\(directory)/\(segment).seg" }

    /// Makes a segment and its room on the disk; where the disk's file system cannot reserve room it stays sparse.
    func create(_ segment: Int32) throws(Errno) {
        let file = try OpenFile(path: path(segment), [.readWrite, .create])
        do {
            try file.allocate(offset: 0, length: Self.segmentBytes)
        } catch {
            guard error == .notSupported else {
                try? Paths.remove(path(segment))
                throw error
            }
            try file.setSize(Self.segmentBytes)
        }
        files.withLock { keep(file, as: segment, in: &$0) }
        hasNewNames.store(true, ordering: .releasing)
    }

    /// Makes sure that a range whose room was given back has room again.
    func takeRoom(_ location: SegmentLocation, _ length: Int64) throws(Errno) {
        do {
            try file(location.segment).reserve(offset: location.position, length: length)
        } catch {
            guard error == .notSupported else { throw error }
        }
    }

    /// Gives a range's room back to the disk, where its file system can do that. Nothing may be in it.
    package func giveRoomBack(_ range: SegmentRange) throws(Errno) {
        do {
            try file(range.segment).punchHole(offset: range.location.position, length: range.length)
        } catch {
            guard error == .notSupported else { throw error }
        }
    }

    /// Whether a segment may have pages without room.
    func hasHoles(_ segment: Int32) throws(Errno) -> Bool {
        try file(segment).allocatedBytes() < Self.segmentBytes
    }

    /// Makes a segment whole again that is gone or cut off; whether it was. What it held is zeros then.
    func restore(_ segment: Int32) throws(Errno) -> Bool {
        let size = (try? OpenFile(path: path(segment), .readOnly).size()) ?? 0
        if size >= Self.segmentBytes { return false }
        try create(segment)
        return true
    }

    /// Waits until the names of all segments are on the disk.
    package func syncNames() throws(Errno) {
        guard hasNewNames.exchange(false, ordering: .acquiringAndReleasing) else { return }
        do {
            try Paths.syncDirectory(directory)
        } catch {
            hasNewNames.store(true, ordering: .releasing)
            throw error
        }
    }

    /// Whether somebody has deleted a segment that is in use.
    var hasLostNames: Bool { !files.withLock { Array($0.values) }.allSatisfy(\.isNamed) }

    func remove(_ segment: Int32) throws(Errno) {
        files.withLock { $0[segment] = nil }
        try Paths.remove(path(segment))
    }

    private func file(_ segment: Int32) throws(Errno) -> OpenFile {
        if let file = files.withLock({ $0[segment] }) { return file }
        let file = try OpenFile(path: path(segment), .readWrite)
        return files.withLock { files in
            if let other = files[segment] { return other }
            keep(file, as: segment, in: &files)
            return file
        }
    }

    /// In place of any other one where too many are open; who still uses that has it until then.
    private func keep(_ file: OpenFile, as segment: Int32, in files: inout [Int32: OpenFile]) {
        if files.count >= openLimit, let other = files.keys.first { files[other] = nil }
        files[segment] = file
    }

    /// Writes all of `bytes`.
    package func write(_ bytes: UnsafeRawBufferPointer, at location: SegmentLocation) throws(Errno) {
        unsafe try file(location.segment).write(bytes, at: location.position)
    }

    package func write(_ bytes: [UInt8], at location: SegmentLocation) throws(Errno) {
        try file(location.segment).write(bytes, at: location.position)
    }

    /// Fills `buffer`; fewer bytes than asked for mean that the segment was damaged.
    package func read(into buffer: UnsafeMutableRawBufferPointer, at location: SegmentLocation) throws(Errno) {
        let count = unsafe try file(location.segment).read(into: buffer, at: location.position)
        if count != buffer.count { throw .ioError }
    }

    /// Fills `buffer` if that needs no waiting for the disk; else false.
    package func readWithoutWaiting(
        into buffer: UnsafeMutableRawBufferPointer, at location: SegmentLocation
    ) throws(Errno) -> Bool {
        unsafe try file(location.segment).readWithoutWaiting(into: buffer, at: location.position) == buffer.count
    }

    package func read(count: Int, at location: SegmentLocation) throws(Errno) -> [UInt8] {
        let bytes = try file(location.segment).read(count: count, at: location.position)
        if bytes.count != count { throw .ioError }
        return bytes
    }

    /// Lets what was written begin its way to the disk.
    func startWriting(_ segment: Int32) throws(Errno) { try file(segment).startWriting() }

    /// Waits until what was written to the segment is on the disk.
    package func syncData(_ segment: Int32) throws(Errno) { try file(segment).syncData() }
}
