import DbxModel
import FuseLowLevel
import Glibc
import Synchronization

/// A reply that waits without the notifier's knowledge.
final class HeldReply: Sendable {
    private let reply: Mutex<FuseReplyData?>
    init(_ reply: consuming FuseReplyData) { self.reply = Mutex(reply) }
    func drop() { reply.withLock { $0 = nil } }
}

/// A small file system in memory: what the wrapper's tests mount. One lock around everything.
///
/// Four names are special: reading `drop` drops the reply, reading `later` answers from another thread, reading
/// `hold` keeps the reply until the end, and `wait` and names that begin so waits for `release(waiting:)` or an interruption.
final class MemoryFileSystem: FuseOperations {
    struct Node {
        var mode: UInt32
        var uid: UInt32 = 0
        var data: [UInt8] = []
        var children: [[UInt8]: UInt64] = [:]
        var attributes: [[UInt8]: [UInt8]] = [:]
    }

    struct State {
        var nodes: [UInt64: Node] = [1: Node(mode: S_IFDIR | 0o777)]
        var next: UInt64 = 2
        var calls: [String: Int] = [:]
        var waiting: [FuseReplyBox<FuseReplyData>] = []
        var held: [HeldReply] = []
        var clearsSetID: [Bool] = []
        var offered: FuseCapabilities = []
        var isDestroyed = false
    }

    let state = Mutex(State())
    let timeoutSeconds: Double

    init(timeoutSeconds: Double = 3600) { self.timeoutSeconds = timeoutSeconds }

    func calls(_ name: String) -> Int { state.withLock { $0.calls[name] ?? 0 } }

    /// Changes content behind the kernel's back.
    func replace(_ name: String, with data: [UInt8]) {
        state.withLock { state in
            guard let inode = state.nodes[1]?.children[Array(name.utf8)] else { return }
            state.nodes[inode]?.data = data
        }
    }

    func inode(of name: String) -> FuseInode? {
        state.withLock { $0.nodes[1]?.children[Array(name.utf8)].map(FuseInode.init(rawValue:)) }
    }

    /// Adds a file behind the kernel's back.
    @discardableResult
    func add(_ name: String, _ data: [UInt8], mode: UInt32 = S_IFREG | 0o666) -> FuseInode {
        state.withLock { state in
            FuseInode(rawValue: state.add(Array(name.utf8), in: 1, Node(mode: mode, data: data)) ?? 0)
        }
    }

    /// Completes reads of `wait`.
    func release(waiting data: [UInt8]) {
        let boxes = state.withLock { state in
            defer { state.waiting = [] }
            return state.waiting
        }
        for box in boxes { if let reply = box.take() { reply.succeed(data) } }
    }

    func attributes(_ inode: UInt64, _ node: Node) -> FuseAttributes {
        let time = Timestamp(nanoseconds: 1_234_567_890_123_456_789)
        return FuseAttributes(
            inode: FuseInode(rawValue: inode), mode: node.mode, uid: node.uid, size: Int64(node.data.count),
            blocks: Int64(node.data.count + 511) / 512, accessTime: time, modificationTime: time, changeTime: time)
    }

    func entry(_ inode: UInt64, _ node: Node) -> FuseEntry {
        FuseEntry(
            attributes(inode, node), entryTimeoutSeconds: timeoutSeconds, attributeTimeoutSeconds: timeoutSeconds)
    }

    /// Counts a call and runs `body` on the state.
    func perform<Result>(_ name: String, _ body: (inout State) -> Result) -> Result {
        state.withLock { state in
            state.calls[name, default: 0] += 1
            return body(&state)
        }
    }
}

extension MemoryFileSystem.State {
    mutating func add(_ name: [UInt8], in parent: UInt64, _ node: MemoryFileSystem.Node) -> UInt64? {
        guard nodes[parent]?.children[name] == nil else { return nil }
        let inode = next
        next += 1
        nodes[inode] = node
        nodes[parent]?.children[name] = inode
        return inode
    }

    func child(_ name: [UInt8], of parent: UInt64) -> (UInt64, MemoryFileSystem.Node)? {
        guard let inode = nodes[parent]?.children[name], let node = nodes[inode] else { return nil }
        return (inode, node)
    }
}
