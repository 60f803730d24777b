/// A fixed number of threads that work off a bounded queue: urgent jobs first, each priority in order of arrival.
///
/// Sendable; the queue is guarded by one monitor. Jobs run without any lock held.
package final class ThreadPool: Sendable {
    package enum Priority: Sendable {
        case urgent, background
    }

    package typealias Job = @Sendable () -> Void

    private struct State: Sendable {
        var urgent = JobQueue()
        var background = JobQueue()
        var isShutDown = false

        var count: Int { urgent.count + background.count }

        mutating func next() -> Job? { urgent.pop() ?? background.pop() }
    }

    private let state: Monitor<State>
    private let threads: [WorkerThread]
    private let capacity: Int

    package init(name: String, threads count: Int, capacity: Int = 4_096) throws(Errno) {
        let state = Monitor(State())
        var threads: [WorkerThread] = []
        do throws(Errno) {
            for index in 0..<count {
                threads.append(try WorkerThread(name: "\(name)-\(index)") { Self.run(state, capacity) })
            }
        } catch {
            state.update { $0.isShutDown = true }
            throw error
        }
        self.state = state
        self.threads = threads
        self.capacity = capacity
    }

    deinit { state.update { $0.isShutDown = true } }

    /// Queues a job, waiting while the queue is full; false when the pool is shut down. Never called by the pool's own
    /// jobs, which use `trySubmit`.
    package func submit(_ priority: Priority = .urgent, _ job: @escaping Job) -> Bool {
        let accepted = state.wait { state -> Bool? in
            if state.isShutDown { return false }
            guard state.count < self.capacity else { return nil }
            Self.push(job, priority, to: &state)
            return true
        }
        if accepted == true { state.update { _ in } }
        return accepted ?? false
    }

    /// Queues a job if that can be done at once; false when the queue is full or the pool shut down.
    package func trySubmit(_ priority: Priority = .urgent, _ job: @escaping Job) -> Bool {
        state.update { state in
            guard !state.isShutDown, state.count < capacity else { return false }
            Self.push(job, priority, to: &state)
            return true
        }
    }

    /// Jobs that wait for a thread.
    package var waitingJobs: Int { state.withLock { $0.count } }

    /// Takes no more jobs, finishes those that were accepted, and waits for the threads. Not from a job.
    package func shutdown() {
        state.update { $0.isShutDown = true }
        for thread in threads { thread.join() }
    }

    private static func push(_ job: @escaping Job, _ priority: Priority, to state: inout State) {
        switch priority {
        case .urgent: state.urgent.push(job)
        case .background: state.background.push(job)
        }
    }

    private static func run(_ state: Monitor<State>, _ capacity: Int) {
        while true {
            let turn = state.wait { state -> (job: Job?, wasFull: Bool)? in
                let wasFull = state.count >= capacity
                if let job = state.next() { return (job, wasFull) }
                return state.isShutDown ? (nil, false) : nil
            }
            guard let turn, let job = turn.job else { return }
            // Somebody may wait for room.
            if turn.wasFull { state.update { _ in } }
            job()
        }
    }
}

/// A first-in, first-out queue with amortised constant cost.
private struct JobQueue: Sendable {
    private var items: [ThreadPool.Job?] = []
    private var head = 0

    var count: Int { items.count - head }

    mutating func push(_ job: @escaping ThreadPool.Job) { items.append(job) }

    mutating func pop() -> ThreadPool.Job? {
        guard head < items.count else { return nil }
        let job = items[head].take()
        head += 1
        if head == items.count {
            items.removeAll(keepingCapacity: true)
            head = 0
        } else if head > 1_024, head * 2 > items.count {
            items.removeFirst(head)
            head = 0
        }
        return job
    }
}
