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
        if change.clearsSetID { try clearSetID(of: number) }
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
        if change.changesOwner, change.permissions == nil, node.kind != .directory {
            update.mode = node.attributes.mode.withoutSetID
        }
        update.mtime = change.modificationTime.map { $0.timestamp(now: now) }
        return update
    }
}
