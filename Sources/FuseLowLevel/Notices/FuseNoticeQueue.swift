/// What waits to be told to the kernel, and in which order. A value; `FuseConnection.notices` guards it.
///
/// The kernel keeps the pages of a read locked until its answer, and a notice about content waits for that lock where
/// not even SIGKILL reaches it: a daemon killed then leaves a mount that hangs. So such notices wait here instead while
/// reads of their inode wait for something slow, up to `patience`.
struct FuseNoticeQueue {
    static let patience = Duration.seconds(5)

    /// Waiting notices by inode, oldest first. An inode is here from its first notice until its last was sent, with an
    /// empty list while a thread sends what waited.
    private var chains: [FuseInode: [FuseNotice]] = [:]
    /// What `chains` hold, to merge equals.
    private(set) var waiting: Set<FuseNotice> = []
    /// Inodes that have notices, no thread at work on them, and no place in `deferred`: in order, from `readyStart`.
    private var ready: [FuseInode] = []
    private var readyStart = 0
    /// Inodes whose notices wait for reads, and until when at most.
    private var deferred: [FuseInode: ContinuousClock.Instant] = [:]
    /// How many reads of an inode wait for an answer that comes later.
    private var reads: [FuseInode: Int] = [:]
    /// Notices that a thread has taken and not yet sent.
    private(set) var sending = 0
    private(set) var isStopped = false
    var threads = 0
    var idle = 0
    var sent: UInt64 = 0
    var failed: UInt64 = 0

    var readyCount: Int { ready.count - readyStart }
    var isEmpty: Bool { waiting.isEmpty && sending == 0 }
    var hasDeferred: Bool { !deferred.isEmpty }

    mutating func append(_ notice: FuseNotice) {
        waiting.insert(notice)
        let key = notice.key
        if chains[key] == nil { ready.append(key) }
        chains[key, default: []].append(notice)
    }

    /// The next inode that may be told, with all that waits for it; `finish` must follow.
    mutating func take(now: ContinuousClock.Instant) -> (FuseInode, [FuseNotice])? {
        if let key = deferred.first(where: { $0.value <= now })?.key {
            deferred[key] = nil
            return taken(key)
        }
        while let key = nextReady() {
            if reads[key] == nil || !(chains[key] ?? []).contains(where: \.concernsContent) { return taken(key) }
            deferred[key] = now + Self.patience
        }
        return nil
    }

    private mutating func taken(_ key: FuseInode) -> (FuseInode, [FuseNotice]) {
        let notices = chains[key] ?? []
        chains[key] = []
        waiting.subtract(notices)
        sending += notices.count
        return (key, notices)
    }

    private mutating func nextReady() -> FuseInode? {
        guard readyStart < ready.count else { return nil }
        let key = ready[readyStart]
        readyStart += 1
        if readyStart * 2 > ready.count {
            ready.removeFirst(readyStart)
            readyStart = 0
        }
        return key
    }

    mutating func finish(_ key: FuseInode, count: Int) {
        sending -= count
        guard let chain = chains[key] else { return }
        if chain.isEmpty {
            chains[key] = nil
        } else {
            ready.append(key)
        }
    }

    mutating func beginRead(of inode: FuseInode) { reads[inode, default: 0] += 1 }

    /// True when notices of the inode may go now.
    mutating func endRead(of inode: FuseInode) -> Bool {
        let count = (reads[inode] ?? 1) - 1
        reads[inode] = count > 0 ? count : nil
        guard count <= 0, deferred.removeValue(forKey: inode) != nil else { return false }
        ready.append(inode)
        return true
    }

    mutating func stop() {
        isStopped = true
        chains = [:]
        waiting = []
        ready = []
        readyStart = 0
        deferred = [:]
    }
}

extension FuseNotice {
    /// Whether the kernel drops pages, for which it takes their locks.
    fileprivate var concernsContent: Bool {
        if case .inode(_, let offset, _) = self { return offset >= 0 }
        return false
    }
}
