import Glibc

/// A lock for sections of microseconds that several threads want often: it spins a little before it sleeps
/// (PTHREAD_MUTEX_ADAPTIVE_NP). `Mutex` of Synchronization hands over through the kernel whenever two threads meet, which
/// costs more than such a section. Not recursive.
@safe package final class AdaptiveLock: @unchecked Sendable {
    // Sendable because the pointer never changes and is freed last.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>

    package init() {
        unsafe mutex = .allocate(capacity: 1)
        var attributes = pthread_mutexattr_t()
        unsafe pthread_mutexattr_init(&attributes)
        unsafe pthread_mutexattr_settype(&attributes, Int32(PTHREAD_MUTEX_ADAPTIVE_NP))
        unsafe pthread_mutex_init(mutex, &attributes)
        unsafe pthread_mutexattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
    }

    package func withLock<Result, Failure: Error>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return try body()
    }
}
