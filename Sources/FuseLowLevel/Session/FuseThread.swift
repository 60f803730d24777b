internal import CFuse3
internal import Glibc

/// A detached, named thread of this module, deaf to all signals but the wake-up.
enum FuseThread {
    private final class Body {
        let name: String
        let run: @Sendable () -> Void
        init(_ name: String, _ run: @escaping @Sendable () -> Void) {
            self.name = name
            self.run = run
        }
    }

    /// Says whether the thread could be made.
    static func start(_ name: String, _ run: @escaping @Sendable () -> Void) -> Bool {
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        defer { unsafe _ = pthread_attr_destroy(&attributes) }
        unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        let body = unsafe Unmanaged.passRetained(Body(name, run))
        var thread = pthread_t()
        let result = unsafe pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument = unsafe argument else { return nil }
                // Safe: `start` gave this thread the reference that it takes here.
                let body = unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
                dbxfs_fuse_take_only_wake_signal()
                unsafe dbxfs_fuse_name_thread(body.name)
                body.run()
                return nil
            }, body.toOpaque())
        if result != 0 { unsafe body.release() }
        return result == 0
    }
}

/// A mutex with a condition, for threads that wait. `body` must neither block nor take another lock.
@safe final class FuseMonitor<State>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var state: State

    init(_ state: sending State) {
        self.state = state
        unsafe mutex = .allocate(capacity: 1)
        unsafe condition = .allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        unsafe condition.initialize(to: pthread_cond_t())
        unsafe pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(condition, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    func withLock<Result>(_ body: (inout State) -> Result) -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe _ = pthread_mutex_unlock(mutex) }
        return body(&state)
    }

    func wakeAll() { unsafe _ = pthread_cond_broadcast(condition) }

    /// Waits until `body` gives a result; nil once `seconds` have passed.
    func wait<Result>(seconds: Double? = nil, until body: (inout State) -> Result?) -> Result? {
        let deadline = seconds.map(Self.deadline)
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe _ = pthread_mutex_unlock(mutex) }
        while true {
            if let result = body(&state) { return result }
            if var deadline {
                guard unsafe pthread_cond_timedwait(condition, mutex, &deadline) == 0 else { return body(&state) }
            } else {
                unsafe pthread_cond_wait(condition, mutex)
            }
        }
    }

    private static func deadline(_ seconds: Double) -> timespec {
        var now = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &now)
        let nanoseconds = Int64(now.tv_nsec) + Int64(max(0, min(seconds, 1e6)) * 1e9)
        now.tv_sec += Int(nanoseconds / 1_000_000_000)
        now.tv_nsec = Int(nanoseconds % 1_000_000_000)
        return now
    }
}
