package import DbxModel

/// What a call changes of a node's attributes; nil leaves a field alone.
package struct AttributeChange: Hashable, Sendable {
    /// A time to set; `now` is the file system's own clock.
    package enum Moment: Hashable, Sendable {
        case now
        case at(Timestamp)

        func timestamp(now: Timestamp) -> Timestamp {
            switch self {
            case .now: now
            case .at(let time): time
            }
        }
    }

    package var permissions: UInt16?
    package var uid: UInt32?
    package var gid: UInt32?
    package var size: Int64?
    package var accessTime: Moment?
    package var modificationTime: Moment?
    /// Set-id bits go with the size, for the caller may not keep them.
    package var clearsSetID: Bool

    package init(
        permissions: UInt16? = nil, uid: UInt32? = nil, gid: UInt32? = nil, size: Int64? = nil,
        accessTime: Moment? = nil, modificationTime: Moment? = nil, clearsSetID: Bool = false
    ) {
        self.permissions = permissions
        self.uid = uid
        self.gid = gid
        self.size = size
        self.accessTime = accessTime
        self.modificationTime = modificationTime
        self.clearsSetID = clearsSetID
    }

    var changesOwner: Bool { uid != nil || gid != nil }

    /// Whether anything but the size and the access time changes.
    var hasRowChange: Bool { permissions != nil || changesOwner || modificationTime != nil }
}
