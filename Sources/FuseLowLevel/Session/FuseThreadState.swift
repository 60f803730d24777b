internal import CFuse3
internal import Glibc

/// What this module keeps per thread: the recycled reply buffer, and interruptions to run. Used by its thread only.
@safe final class FuseThreadState {
    var interruptions: [FuseInterruption] = []
    /// Of the request that this thread runs.
    var clearsSetID = false
    /// The protocol flags of the INIT request that this thread runs, else 0.
    var offeredFlags: UInt32 = 0
    /// What to add to the flags of its answer.
    var addedFlags: UInt32 = 0
    private var memory: UnsafeMutableRawBufferPointer

    private init() { unsafe memory = UnsafeMutableRawBufferPointer(start: nil, count: 0) }

    deinit { unsafe memory.deallocate() }

    /// At least `capacity` bytes, page-aligned, with what was left in them; valid until the next call on this thread.
    func buffer(capacity: Int) -> UnsafeMutableRawBufferPointer {
        if unsafe memory.count < capacity {
            unsafe memory.deallocate()
            let size = max(capacity, 128 << 10)
            unsafe memory = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 4096)
        }
        return unsafe UnsafeMutableRawBufferPointer(rebasing: memory[..<capacity])
    }

    /// Runs the handlers that libfuse's callbacks have noted on this thread.
    func runInterruptions() {
        guard !interruptions.isEmpty else { return }
        let due = interruptions
        interruptions.removeAll(keepingCapacity: true)
        for interruption in due { interruption.fire() }
    }

    /// The key's destructor frees the state when its thread ends.
    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        let result = unsafe pthread_key_create(&key) { state in
            guard let state = unsafe state else { return }
            unsafe Unmanaged<FuseThreadState>.fromOpaque(state).release()
        }
        precondition(result == 0, "no thread-specific key is left")
        return key
    }()

    static var current: FuseThreadState {
        if let state = unsafe pthread_getspecific(key) {
            return unsafe Unmanaged<FuseThreadState>.fromOpaque(state).takeUnretainedValue()
        }
        let state = FuseThreadState()
        unsafe pthread_setspecific(key, Unmanaged.passRetained(state).toOpaque())
        return state
    }
}
