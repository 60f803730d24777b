import DbxLocalStore
package import DbxModel
import DbxSync
package import DbxWire

/// What `dbxfs conflicts` shows of one: a value. Fields are added, never renamed: scripts read them.
package struct ConflictStatus: Hashable, Sendable, Codable {
    /// The name that both versions wanted, from the mounted directory; the server's version has it.
    package var path: String
    package var path64: Base64?
    /// Where this device's version is.
    package var keptAs: String
    package var keptAs64: Base64?
    package var at: Timestamp
    /// The device whose version was kept aside.
    package var device: String
    package var kind: NodeKind
    package var ourSize: Int64
    package var ourModified: Timestamp
    /// Nil where nothing has the name any more.
    package var theirSize: Int64?
    package var theirModified: Timestamp?
    /// Where the folder merges texts: `waiting`, `merged` (the copy is about to go), or why that was not possible
    /// (`MergeObstacle`).
    package var merge: String?

    init(_ conflict: OpenConflict, device: String) {
        let (path, keptAs) = (conflict.path, conflict.keptAsPath)
        self.path = String(decoding: path, as: UTF8.self)
        path64 = String(validating: path, as: UTF8.self) == nil ? Base64(path) : nil
        self.keptAs = String(decoding: keptAs, as: UTF8.self)
        keptAs64 = String(validating: keptAs, as: UTF8.self) == nil ? Base64(keptAs) : nil
        at = conflict.record.at
        self.device = device
        kind = conflict.ours.kind
        ourSize = conflict.ours.size
        ourModified = conflict.ours.attributes.mtime
        theirSize = conflict.theirs?.size
        theirModified = conflict.theirs?.attributes.mtime
        merge = conflict.merge.map { merge in
            switch merge.state {
            case .waiting: "waiting"
            case .merged: "merged"
            case .failed(let obstacle): obstacle.rawValue
            }
        }
    }

    /// What `merge` says, to a person.
    package var mergeInWords: String? {
        guard let merge else { return nil }
        guard let obstacle = MergeObstacle(rawValue: merge) else {
            return merge == "waiting"
                ? "waits until the server has both, and nobody writes to them" : "done; the copy goes"
        }
        return switch obstacle {
        case .overlap: "not possible: both changed the same lines, or lines next to each other"
        case .noText: "not possible: not all versions are UTF-8 texts"
        case .large: "not possible: more than 1 MiB"
        case .noBase: "not possible: there is no version that both come from"
        case .gone: "not possible: the other version is gone"
        case .ignored: "not possible: an ignore rule keeps one of them on this computer"
        case .changed: "done, but ours was changed since"
        }
    }
}

/// Which version of a conflict stays under the name.
package enum ConflictChoice: String, Hashable, Sendable, Codable, CaseIterable {
    /// This device's, which was kept aside: it takes the name, the other one goes.
    case ours
    /// The one that has the name; the one kept aside goes.
    case theirs
    /// Both, as they are; the conflict is no longer listed.
    case both
}
