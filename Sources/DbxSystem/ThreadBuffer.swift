import Glibc

/// Memory that each thread keeps and lends again and again, so that reads of a mebibyte allocate nothing.
///
/// A thread's buffer is freed when the thread ends. Loans on one thread do not nest.
package enum ThreadBuffer {
    /// Lends at least `capacity` bytes, page-aligned, with what was left in them, for the time of `body`.
    package static func withBytes<Result, Failure: Error>(
        _ capacity: Int, _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        unsafe try body(Memory.current.bytes(capacity))
    }

    /// The memory of one thread, used by no other.
    @safe private final class Memory {
        private var bytes = unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0)

        deinit { unsafe bytes.deallocate() }

        func bytes(_ capacity: Int) -> UnsafeMutableRawBufferPointer {
            if unsafe bytes.count < capacity {
                unsafe bytes.deallocate()
                unsafe bytes = .allocate(byteCount: max(capacity, 128 << 10), alignment: 4_096)
            }
            return unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[..<capacity])
        }

        /// The key's destructor releases the memory when its thread ends.
        private static let key: pthread_key_t = {
            var key = pthread_key_t()
            let code = unsafe pthread_key_create(&key) { memory in
                guard let memory = unsafe memory else { return }
                unsafe Unmanaged<Memory>.fromOpaque(memory).release()
            }
            precondition(code == 0, "no thread-specific key is left")
            return key
        }()

        static var current: Memory {
            if let memory = unsafe pthread_getspecific(key) {
                return unsafe Unmanaged<Memory>.fromOpaque(memory).takeUnretainedValue()
            }
            let memory = Memory()
            unsafe pthread_setspecific(key, Unmanaged.passRetained(memory).toOpaque())
            return memory
        }
    }
}
