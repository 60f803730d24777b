import Crypto
import DbxModel
import DbxSystem

/// A file in `uploads/` with the hash of what was written to it so far.
final class StagedFile: StagedObject {
    private let file: OpenFile
    private let path: String
    private let store: DirectoryObjectStore
    private var length: Int64 = 0
    private var hash = SHA256()
    private var isOpen = true

    init(file: OpenFile, path: String, store: DirectoryObjectStore) {
        self.file = file
        self.path = path
        self.store = store
    }

    deinit { discard() }

    func append(_ bytes: RawSpan) throws(StoreError) {
        // The pointer is used only inside the closure.
        unsafe try bytes.withUnsafeBytes { bytes throws(StoreError) in
            try DirectoryObjectStore.translating(path) { () throws(Errno) in
                unsafe try file.write(bytes, at: length)
            }
            unsafe hash.update(bufferPointer: bytes)
        }
        length += Int64(bytes.byteCount)
    }

    func promote(to key: ObjectKey, length expected: Int64) throws(StagingError) {
        defer { discard() }
        guard length == expected else { throw .wrongLength }
        guard Array(hash.finalize()) == key.block.bytes else { throw .wrongHash }
        do throws(StoreError) {
            try DirectoryObjectStore.translating(path) { () throws(Errno) in try file.sync() }
            try store.adopt(path, as: key, length: length)
        } catch {
            throw .store(error)
        }
    }

    func discard() {
        guard isOpen else { return }
        isOpen = false
        // What cannot be removed now goes at the next start.
        try? Paths.remove(path)
    }
}

/// An object's file.
struct ObjectFile: OpenObject {
    let file: OpenFile
    let path: String
    let length: Int64

    func read(into buffer: UnsafeMutableRawBufferPointer, offset: Int64) throws(StoreError) {
        let count = try DirectoryObjectStore.translating(path) { () throws(Errno) in
            unsafe try file.read(into: buffer, at: offset)
        }
        guard count == buffer.count else { throw .corrupt("\(path) is shorter than it was") }
    }
}
