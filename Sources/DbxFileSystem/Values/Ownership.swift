import DbxSystem

/// How the owners in the rows and those that programs see go together (DESIGN §3, Owners). "Owner" (nil) in a row is
/// whoever mounts.
package enum Ownership: Hashable, Sendable {
    /// An ordinary user's mount: every node is theirs; foreign numbers stay in the rows, unseen.
    case everythingIs(uid: UInt32, gid: UInt32)
    /// A mount of root for all: numbers are shown; what `uid` and `gid` own is stored as "owner".
    case numbers(uid: UInt32, gid: UInt32)

    package func shownUser(_ stored: UInt32?) -> UInt32 {
        switch self {
        case .everythingIs(let uid, _): uid
        case .numbers(let uid, _): stored ?? uid
        }
    }

    package func shownGroup(_ stored: UInt32?) -> UInt32 {
        switch self {
        case .everythingIs(_, let gid): gid
        case .numbers(_, let gid): stored ?? gid
        }
    }

    /// What a row holds for a new node of `uid`.
    package func storedUser(_ uid: UInt32) -> UInt32? {
        switch self {
        case .everythingIs: nil
        case .numbers(let mounting, _): uid == mounting ? nil : uid
        }
    }

    package func storedGroup(_ gid: UInt32) -> UInt32? {
        switch self {
        case .everythingIs: nil
        case .numbers(_, let mounting): gid == mounting ? nil : gid
        }
    }

    /// Whether chown(2) may give a node to `uid` and `gid` (nil: stays). The kernel has checked the caller's rights;
    /// where all nodes are shown as one user's, they can be given to nobody else.
    func checkChange(uid newUser: UInt32?, gid newGroup: UInt32?) throws(Errno) {
        guard case .everythingIs(let uid, let gid) = self else { return }
        if newUser ?? uid != uid || newGroup ?? gid != gid { throw .notPermitted }
    }
}
