import CDbxShims
import Glibc

/// An open file descriptor, closed when the last reference goes.
///
/// Sendable: the descriptor number never changes, and the calls offered here carry their offset, so that threads do not
/// disturb each other. Short reads and writes and EINTR are handled here.
package final class OpenFile: Sendable {
    package let descriptor: Int32

    package init(takingOwnershipOf descriptor: Int32) { self.descriptor = descriptor }

    deinit { _ = Glibc.close(descriptor) }

    package struct Mode: OptionSet, Sendable {
        package let rawValue: Int32
        package init(rawValue: Int32) { self.rawValue = rawValue }

        package static let readOnly = Mode(rawValue: O_RDONLY)
        package static let readWrite = Mode(rawValue: O_RDWR)
        package static let create = Mode(rawValue: O_CREAT)
        package static let exclusive = Mode(rawValue: O_EXCL)
        package static let truncate = Mode(rawValue: O_TRUNC)
        package static let directory = Mode(rawValue: O_DIRECTORY)
    }

    /// Opens `path` (always close-on-exec); a created file gets `permissions` less the umask.
    package convenience init(path: String, _ mode: Mode, permissions: UInt16 = 0o600) throws(Errno) {
        let flags = mode.rawValue | O_CLOEXEC
        self.init(takingOwnershipOf: try systemCall { unsafe open(path, flags, mode_t(permissions)) })
    }

    package func size() throws(Errno) -> Int64 { Int64(try status().st_size) }

    /// Bytes that the file takes up on its disk.
    package func allocatedBytes() throws(Errno) -> Int64 { Int64(try status().st_blocks) * 512 }

    /// Whether it still has a name; true where that cannot be told.
    package var isNamed: Bool { (try? status().st_nlink > 0) ?? true }

    private func status() throws(Errno) -> stat {
        var answer = stat()
        _ = try systemCall { unsafe fstat(descriptor, &answer) }
        return answer
    }

    package func setSize(_ bytes: Int64) throws(Errno) {
        _ = try systemCall { ftruncate(descriptor, off_t(bytes)) }
    }

    /// Makes sure that bytes in the range have room on the disk (fallocate(2) without flags; the file grows).
    package func allocate(offset: Int64, length: Int64) throws(Errno) {
        try shimCall { dbxfs_fallocate(descriptor, 0, offset, length) }
    }

    /// The same without changing the file's size (FALLOC_FL_KEEP_SIZE).
    package func reserve(offset: Int64, length: Int64) throws(Errno) {
        try shimCall { dbxfs_fallocate(descriptor, 0x01, offset, length) }
    }

    /// Gives the room of a range back to the disk; it then reads as zeros (FALLOC_FL_PUNCH_HOLE | KEEP_SIZE).
    package func punchHole(offset: Int64, length: Int64) throws(Errno) {
        try shimCall { dbxfs_fallocate(descriptor, 0x03, offset, length) }
    }

    /// Lets what was written begin its way to the disk, so that `syncData` soon after waits less (sync_file_range(2)). Not
    /// all file systems can; then nothing happens.
    package func startWriting() { _ = dbxfs_start_writing(descriptor) }

    /// Waits until the file's data is on the disk.
    package func syncData() throws(Errno) { _ = try systemCall { fdatasync(descriptor) } }

    /// Waits until the file's data and attributes are on the disk; for a directory, its entries.
    package func sync() throws(Errno) { _ = try systemCall { fsync(descriptor) } }

    /// Takes the exclusive flock(2) lock; false when another open file has it.
    package func tryLock() throws(Errno) -> Bool {
        do {
            _ = try systemCall { flock(descriptor, LOCK_EX | LOCK_NB) }
            return true
        } catch {
            if error == .wouldBlock { return false }
            throw error
        }
    }

    package func unlock() throws(Errno) { _ = try systemCall { flock(descriptor, LOCK_UN) } }

    private func shimCall(_ call: () -> Int32) throws(Errno) {
        while true {
            let code = -call()
            if code <= 0 { return }
            if code != EINTR { throw Errno(rawValue: code) }
        }
    }
}

extension OpenFile {
    /// Fills `buffer` from `offset`; returns fewer bytes only at the end of the file.
    package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(Errno) -> Int {
        var done = 0
        while done < buffer.count {
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count = try systemCall {
                unsafe pread(descriptor, rest.baseAddress, rest.count, off_t(offset + Int64(done)))
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// Reads what is in the page cache already: the count (possibly short), or nil where the disk would be waited for
    /// or the file's file system does not offer this.
    package func readWithoutWaiting(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(Errno) -> Int?
    {
        while true {
            let count = unsafe dbxfs_pread_nowait(descriptor, buffer.baseAddress, UInt(buffer.count), offset)
            if count >= 0 { return count }
            switch Int32(-count) {
            case EINTR: continue
            case EAGAIN, EOPNOTSUPP, ENOSYS: return nil
            default: throw Errno(rawValue: Int32(-count))
            }
        }
    }

    /// Writes all of `bytes` at `offset`.
    package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(Errno) {
        var done = 0
        while done < bytes.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[done...])
            done += try systemCall {
                unsafe pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset + Int64(done)))
            }
        }
    }

    /// At most `count` bytes from `offset`; fewer only at the end of the file.
    package func read(count: Int, at offset: Int64) throws(Errno) -> [UInt8] {
        var failure: Errno?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            do throws(Errno) {
                initialized = unsafe try read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    package func write(_ bytes: [UInt8], at offset: Int64) throws(Errno) {
        var failure: Errno?
        unsafe bytes.withUnsafeBytes { buffer in
            do throws(Errno) { unsafe try write(buffer, at: offset) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}
