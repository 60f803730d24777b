import DbxFileSystem
import DbxLocalStore
import DbxModel
import FuseLowLevel
import Synchronization

/// Invalidations by way of libfuse's notifier, counted. Those that come before the session is there wait for it.
///
/// Guarded by a mutex that is never held while a notice is posted.
final class KernelNotices: KernelNotifier {
    private struct State {
        var notifier: FuseNotifier?
        var waiting: [FuseNotice] = []
        var entries: Int64 = 0
        var contents: Int64 = 0
        var attributes: Int64 = 0
    }

    private let state = Mutex(State())

    /// The session is there: what waited goes to it, what comes from now on too.
    func begin(_ notifier: FuseNotifier) {
        let waiting = state.withLock { state in
            state.notifier = notifier
            defer { state.waiting = [] }
            return state.waiting
        }
        for notice in waiting { Self.post(notice, to: notifier) }
    }

    /// What was sent so far, by kind.
    var counts: [String: Int64] {
        let state = state.withLock { $0 }
        return ["entry": state.entries, "content": state.contents, "attributes": state.attributes]
    }

    func invalidateEntry(_ name: Name, in directory: InodeNumber) {
        state.withLock { $0.entries += 1 }
        post(.entry(FuseInode(directory), name: name.bytes))
    }

    func invalidateContent(of number: InodeNumber) {
        state.withLock { $0.contents += 1 }
        post(.inode(FuseInode(number), offset: 0, length: 0))
    }

    func invalidateAttributes(of number: InodeNumber) {
        state.withLock { $0.attributes += 1 }
        post(.inode(FuseInode(number), offset: -1, length: 0))
    }

    func invalidateAttributesAtOnce(of number: InodeNumber) {
        guard let notifier = state.withLock({ $0.notifier }) else { return invalidateAttributes(of: number) }
        state.withLock { $0.attributes += 1 }
        notifier.forgetAttributes(of: FuseInode(number))
    }

    private func post(_ notice: FuseNotice) {
        let notifier = state.withLock { state in
            if state.notifier == nil { state.waiting.append(notice) }
            return state.notifier
        }
        if let notifier { Self.post(notice, to: notifier) }
    }

    private static func post(_ notice: FuseNotice, to notifier: FuseNotifier) {
        while !notifier.post(notice) { notifier.waitForRoom() }
    }
}
