import DbxLocalStore
import Synchronization

/// An open regular file. The readahead state has its own mutex, held for arithmetic only.
final class Handle: Sendable {
    let number: InodeNumber
    let isWriting: Bool
    let readahead = Mutex(Readahead())
    /// Bytes that were not here when they were read, or would have been read next.
    let fetchedBytes = Atomic<Int64>(0)

    let wasRead = Atomic(false)

    init(_ number: InodeNumber, isWriting: Bool) {
        self.number = number
        self.isWriting = isWriting
    }
}

/// All open files by handle. Guarded by its own mutex.
final class HandleTable: Sendable {
    private struct State {
        var handles: [FileHandle: Handle] = [:]
        var last: UInt64 = 0
    }

    private let state = Mutex(State())

    func add(_ handle: Handle) -> FileHandle {
        state.withLock { state in
            state.last += 1
            let key = FileHandle(rawValue: state.last)
            state.handles[key] = handle
            return key
        }
    }

    subscript(key: FileHandle) -> Handle? { state.withLock { $0.handles[key] } }

    func remove(_ key: FileHandle) -> Handle? { state.withLock { $0.handles.removeValue(forKey: key) } }

    var count: Int { state.withLock { $0.handles.count } }
}
