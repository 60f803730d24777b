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

    private let connection: FuseConnection
    private var queue: FuseMonitor<FuseNoticeQueue> { connection.notices }

    init(_ connection: FuseConnection) { self.connection = connection }

    /// Queues a notice about a change that has taken place already. False when the queue is full: the caller waits
    /// with `waitForRoom` on a thread that serves no request, and posts again.
    package func post(_ notice: FuseNotice) -> Bool {
        enum Outcome { case full, queued, needsThread }
        let outcome: Outcome = queue.withLock { queue in
            // Without a mount nobody has anything to forget.
            if queue.isStopped || queue.waiting.contains(notice) { return .queued }
            guard queue.waiting.count < Self.capacity else { return .full }
            queue.append(notice)
            guard queue.idle < queue.readyCount, queue.threads < Self.maximumThreads else { return .queued }
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

    /// The kernel has forgotten an inode's attributes when this returns. The one notice for which it takes no lock that a
    /// request may hold (fuse_reverse_inval_inode): operations may call it.
    package func forgetAttributes(of inode: FuseInode) {
        let isSent = send(.inode(inode, offset: -1, length: 0))
        queue.withLock { queue in
            queue.sent += isSent ? 1 : 0
            queue.failed += isSent ? 0 : 1
        }
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
            queue.isStopped || queue.isEmpty ? true : nil
        } ?? false
    }

    /// How many notices the kernel took, and how many it refused for another reason than not knowing the inode.
    package var counts: (sent: UInt64, failed: UInt64) { queue.withLock { ($0.sent, $0.failed) } }

    /// Drops what waits, and waits at most `seconds` for threads that are in the kernel.
    func stop(seconds: Double) {
        queue.withLock { $0.stop() }
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
        while true {
            let hasDeferred = queue.withLock { $0.hasDeferred }
            let step: Step? = queue.wait(seconds: hasDeferred ? 1 : nil) { queue in
                if queue.isStopped { return .stop }
                if let (key, notices) = queue.take(now: .now) {
                    if isIdle { queue.idle -= 1 }
                    return .send(key, notices)
                }
                if !isIdle { queue.idle += 1 }
                isIdle = true
                // What is deferred has a deadline that somebody must look after.
                return queue.hasDeferred && !hasDeferred ? .lookAgain : nil
            }
            switch step {
            case .send(let key, let notices): return (key, notices)
            case .stop: return nil
            case .lookAgain, nil: continue
            }
        }
    }

    private enum Step {
        case stop
        case send(FuseInode, [FuseNotice])
        case lookAgain
    }

    private func finish(_ key: FuseInode, count: Int, failures: UInt64) {
        queue.withLock { queue in
            queue.sent += UInt64(count) - failures
            queue.failed += failures
            queue.finish(key, count: count)
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
        // libfuse sends nothing before the kernel's first request, which tells what it speaks: until then it knows nothing.
        return [0, -ENOENT, -ENOSYS, -ENOTCONN].contains(result)
    }

    private func withText(_ name: [UInt8], _ body: (UnsafePointer<CChar>?, Int) -> Int32) -> Int32 {
        unsafe name.withUnsafeBytes { bytes in
            unsafe body(bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
        }
    }
}
