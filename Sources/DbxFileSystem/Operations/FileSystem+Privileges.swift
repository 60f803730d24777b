import DbxLocalStore
import DbxModel
import DbxSystem
import Synchronization

// What a change of the content voids: set-id bits, unless the caller has CAP_FSETID (inode(7)). The kernel leaves that to
// us (FUSE_HANDLE_KILLPRIV_V2): where it sees to it itself, it asks for `security.capability` before every write. File
// capabilities it takes away in both cases.
extension FileSystem {
    /// To be called before the change, by one who may not keep the bits.
    func clearSetID(of number: InodeNumber) throws(Errno) {
        guard try takeSetID(from: number) else { return }
        changed()
        // The answer to a write does not tell the kernel.
        notifier.withLock { $0 }?.invalidateAttributesAtOnce(of: number)
    }

    /// Whether there was anything to take.
    private func takeSetID(from number: InodeNumber) throws(Errno) -> Bool {
        let now = time.now()
        return try inStore { store in
            let before = try store.require(number).attributes.mode
            guard before.withoutSetID != before else { return false }
            _ = try store.setAttributes(number, AttributeUpdate(mode: before.withoutSetID), now: now)
            return true
        }
    }
}

extension UInt16 {
    static let setUserID: UInt16 = 0o4000
    static let setGroupID: UInt16 = 0o2000
    static let groupExecute: UInt16 = 0o010

    /// Permission bits after a change that voids set-id (write(2), chown(2)): set-group-id without group execution stays,
    /// as on Linux.
    var withoutSetID: UInt16 {
        var mode = self & ~Self.setUserID
        if mode & Self.groupExecute != 0 { mode &= ~Self.setGroupID }
        return mode
    }
}
