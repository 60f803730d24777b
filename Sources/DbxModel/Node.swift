/// What a node is; the raw value is its stored and wire form.
package enum NodeKind: String, Hashable, Sendable, Codable, CaseIterable {
    case file, directory, symlink, fifo, socket, characterDevice, blockDevice
}

/// One extended attribute. Name and value are bytes.
package struct ExtendedAttribute: Hashable, Sendable {
    package var name: [UInt8]
    package var value: [UInt8]

    package init(name: [UInt8], value: [UInt8]) {
        self.name = name
        self.value = value
    }
}

/// Everything of a node that is neither its identity nor its content.
package struct NodeAttributes: Hashable, Sendable {
    /// The twelve permission bits: set-id, sticky, rwx three times.
    package var mode: UInt16
    /// The numeric owner; nil stands for "owner": whoever mounts sees the node as their own (DESIGN §3, Owners).
    package var uid: UInt32?
    package var gid: UInt32?
    package var mtime: Timestamp
    package var ctime: Timestamp
    package var birthTime: Timestamp
    /// Device number of a character or block device, else 0.
    package var rdev: UInt64
    /// In memcmp order of the names, each name once.
    package var extendedAttributes: [ExtendedAttribute]

    /// Names and values of a node's extended attributes together have at most so many bytes.
    package static let maximumExtendedBytes = 256 << 10

    package init(
        mode: UInt16, uid: UInt32? = nil, gid: UInt32? = nil, mtime: Timestamp, ctime: Timestamp,
        birthTime: Timestamp, rdev: UInt64 = 0, extendedAttributes: [ExtendedAttribute] = []
    ) {
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.mtime = mtime
        self.ctime = ctime
        self.birthTime = birthTime
        self.rdev = rdev
        self.extendedAttributes = extendedAttributes
    }
}
