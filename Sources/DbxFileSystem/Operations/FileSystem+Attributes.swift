package import DbxLocalStore
import DbxModel
package import DbxSystem

extension FileSystem {
    package func attributes(of number: InodeNumber) throws(Errno) -> FileAttributes {
        attributes(try inStore { store in try store.require(number) })
    }

    /// chmod, chown, truncate and utimens in one. The kernel has checked that the caller may.
    package func setAttributes(of number: InodeNumber, to change: AttributeChange) throws(Errno) -> FileAttributes {
        try ownership.checkChange(uid: change.uid, gid: change.gid)
        let now = time.now()
        let node = try inStore { store in
            // Rules first: a transaction turns every error into one of the store.
            let before = try store.require(number)
            if let size = change.size { try checkSize(size, of: before) }
            try store.transaction {
                if let size = change.size { try store.truncate(number, to: size, now: now) }
                if change.hasRowChange || change.accessTime != nil {
                    _ = try store.setAttributes(number, rowUpdate(change, of: before, now: now), now: now)
                }
                if let moment = change.accessTime {
                    try store.setAccessTime(number, moment.timestamp(now: now))
                }
            }
            return try store.require(number)
        }
        if change.accessTime != nil { nodes.setAccessTime(of: number, nil) }
        if change.size != nil { nodes.noteUnsynced(number) }
        changed()
        return attributes(node)
    }

    package func readLink(_ number: InodeNumber) throws(Errno) -> [UInt8] {
        try inStore { store in
            guard let target = try store.require(number).target else { throw Errno.invalidArgument }
            return target
        }
    }

    /// Something is different from what the server has.
    func changed() {
        keeper.noteChange()
        events.localChange()
    }

    private func checkSize(_ size: Int64, of node: LocalNode) throws {
        try node.requireFile()
        guard size >= 0 else { throw Errno.invalidArgument }
        guard size <= ContentLimits.maximumFileBytes else { throw Errno.fileTooLarge }
    }

    private func rowUpdate(_ change: AttributeChange, of node: LocalNode, now: Timestamp) -> AttributeUpdate {
        var update = AttributeUpdate()
        update.mode = change.permissions.map { $0 & 0o7777 }
        if let uid = change.uid, uid != ownership.shownUser(node.attributes.uid) {
            update.uid = .some(ownership.storedUser(uid))
        }
        if let gid = change.gid, gid != ownership.shownGroup(node.attributes.gid) {
            update.gid = .some(ownership.storedGroup(gid))
        }
        if change.uid != nil || change.gid != nil, change.permissions == nil, node.kind != .directory {
            update.mode = node.attributes.mode.withoutSetID
        }
        update.mtime = change.modificationTime.map { $0.timestamp(now: now) }
        return update
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
