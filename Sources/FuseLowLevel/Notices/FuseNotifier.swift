internal import CFuse3
internal import Glibc

/// Sends invalidations to the kernel from threads of its own, which hold no lock while in the kernel and serve no
/// request (DESIGN §5.2, Notices).
///
/// Notices of one inode go in the order of `post`; different inodes never wait for each other, short of
/// `maximumThreads` of them blocked at once. Equal notices that wait are merged. `post` never blocks.
package final class FuseNotifier: Sendable {
    package static let capacity = 65_536
    private static let maximumThreads = 16

    private struct Queue {
        /// Waiting notices by inode, oldest first. A key is here from its first notice until its last was sent.
        var chains: [FuseInode: [FuseNotice]] = [:]
        /// What `chains` hold, to merge equals.
        var waiting: Set<FuseNotice> = []
        /// Inodes that have notices and no thread at work on them, in order of arrival, from `readyStart`.
        var ready: [FuseInode] = []
        var readyStart = 0
        var threads = 0
        var idle = 0
        /// Notices that a thread has taken and not yet sent.
        var sending = 0
        var isStopped = false
        var sent: UInt64 = 0
        var failed: UInt64 = 0

        mutating func takeReady() -> FuseInode? {
            guard readyStart < ready.count else { return nil }
            defer {
                readyStart += 1
                if readyStart * 2 > ready.count {
                    ready.removeFirst(readyStart)
                    readyStart = 0
                }
            }
            return ready[readyStart]
        }
    }

    private let connection: FuseConnection
    private let queue = FuseMonitor(Queue())

    init(_ connection: FuseConnection) { self.connection = connection }

    /// Queues a notice about a change that has taken place already. False when the queue is full: the caller waits
    /// with `waitForRoom` on a thread that serves no request, and posts again.
    package func post(_ notice: FuseNotice) -> Bool {
        enum Outcome { case full, queued, needsThread }
        let outcome: Outcome = queue.withLock { queue in
            // Without a mount nobody has anything to forget.
            if queue.isStopped || queue.waiting.contains(notice) { return .queued }
            guard queue.waiting.count < Self.capacity else { return .full }
            queue.waiting.insert(notice)
            let key = notice.key
            if queue.chains[key] == nil { queue.ready.append(key) }
            queue.chains[key, default: []].append(notice)
            guard queue.idle < queue.ready.count - queue.readyStart, queue.threads < Self.maximumThreads else {
                return .queued
            }
            queue.threads += 1
            return .needsThread
        }
        switch outcome {
        case .full: return false
        case .queued: queue.wakeAll()
        case .needsThread:
            if !FuseThread.start("fuse-notify", { self.run() }) { queue.withLock { $0.threads -= 1 } }
        }
        return true
    }

    /// Waits until `post` would take `notices` more. Never to be called by an operation.
    @discardableResult
    package func waitForRoom(for notices: Int = 1, seconds: Double? = nil) -> Bool {
        queue.wait(seconds: seconds) { queue in
            queue.isStopped || queue.waiting.count + notices <= Self.capacity ? true : nil
        } ?? false
    }

    /// Waits until all that was posted has been sent. Never to be called by an operation.
    @discardableResult
    package func waitUntilSent(seconds: Double? = nil) -> Bool {
        queue.wait(seconds: seconds) { queue in
            queue.isStopped || queue.waiting.isEmpty && queue.sending == 0 ? true : nil
        } ?? false
    }

    /// How many notices the kernel took, and how many it refused for another reason than not knowing the inode.
    package var counts: (sent: UInt64, failed: UInt64) { queue.withLock { ($0.sent, $0.failed) } }

    /// Drops what waits, and waits at most `seconds` for threads that are in the kernel.
    func stop(seconds: Double) {
        queue.withLock { queue in
            queue.isStopped = true
            queue.chains = [:]
            queue.waiting = []
            queue.ready = []
            queue.readyStart = 0
        }
        queue.wakeAll()
        _ = queue.wait(seconds: seconds) { $0.threads == 0 ? true : nil }
    }

    private func run() {
        while let (key, notices) = nextBatch() {
            var failures: UInt64 = 0
            for notice in notices where !send(notice) { failures += 1 }
            finish(key, count: notices.count, failures: failures)
        }
        queue.withLock { $0.threads -= 1 }
        queue.wakeAll()
    }

    /// The next inode with all that waits for it; nil when stopped.
    private func nextBatch() -> (FuseInode, [FuseNotice])? {
        var isIdle = false
        let batch: Batch? = queue.wait { queue in
            if queue.isStopped { return .stopped }
            guard let key = queue.takeReady(), let notices = queue.chains[key] else {
                if !isIdle { queue.idle += 1 }
                isIdle = true
                return nil
            }
            if isIdle { queue.idle -= 1 }
            // The empty chain stays: it keeps the inode with this thread until `finish`.
            queue.chains[key] = []
            queue.waiting.subtract(notices)
            queue.sending += notices.count
            return .notices(key, notices)
        }
        guard case .notices(let key, let notices) = batch else { return nil }
        return (key, notices)
    }

    private enum Batch {
        case stopped
        case notices(FuseInode, [FuseNotice])
    }

    private func finish(_ key: FuseInode, count: Int, failures: UInt64) {
        queue.withLock { queue in
            queue.sending -= count
            queue.sent += UInt64(count) - failures
            queue.failed += failures
            guard let waiting = queue.chains[key] else { return }
            if waiting.isEmpty {
                queue.chains[key] = nil
            } else {
                queue.ready.append(key)
            }
        }
        queue.wakeAll()
    }

    /// True when the kernel has forgotten, or knew nothing of it.
    private func send(_ notice: FuseNotice) -> Bool {
        guard let session = unsafe connection.session else { return false }
        let result: Int32
        // Safe: the connection keeps the session; names are lent for the call.
        switch notice {
        case .inode(let inode, let offset, let length):
            result = unsafe fuse_lowlevel_notify_inval_inode(
                session, inode.rawValue, numericCast(offset), numericCast(length))
        case .entry(let parent, let name):
            result = unsafe withText(name) { text, count in
                unsafe fuse_lowlevel_notify_inval_entry(session, parent.rawValue, text, count)
            }
        case .deleted(let parent, let name, let child):
            result = unsafe withText(name) { text, count in
                unsafe fuse_lowlevel_notify_delete(session, parent.rawValue, child.rawValue, text, count)
            }
        }
        return result == 0 || result == -ENOENT
    }

    private func withText(_ name: [UInt8], _ body: (UnsafePointer<CChar>?, Int) -> Int32) -> Int32 {
        unsafe name.withUnsafeBytes { bytes in
            unsafe body(bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
        }
    }
}
