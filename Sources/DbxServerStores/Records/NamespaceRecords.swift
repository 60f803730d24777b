package import DbxModel

/// A namespace: its counter, hash chain, and quota.
package struct NamespaceRecord: Hashable, Sendable {
    package var id: NamespaceID
    package var org: OrgID
    package var owner: UserID
    package var rootNode: NodeID
    /// Drawn anew when the server is restored from a backup.
    package var epoch: [UInt8]
    package var head: Seq
    /// Cursors below have lost tombstones.
    package var floor: Seq
    /// The hash over all commits up to `head`.
    package var chain: [UInt8]
    package var limitBytes: Int64?
    /// Allocated bytes of current content.
    package var usedBytes: Int64
    /// Stored bytes of uploads that are granted and not committed.
    package var pinnedBytes: Int64

    package init(
        id: NamespaceID, org: OrgID, owner: UserID, rootNode: NodeID, epoch: [UInt8], head: Seq = .zero,
        floor: Seq = .zero, chain: [UInt8], limitBytes: Int64?, usedBytes: Int64 = 0, pinnedBytes: Int64 = 0
    ) {
        self.id = id
        self.org = org
        self.owner = owner
        self.rootNode = rootNode
        self.epoch = epoch
        self.head = head
        self.floor = floor
        self.chain = chain
        self.limitBytes = limitBytes
        self.usedBytes = usedBytes
        self.pinnedBytes = pinnedBytes
    }
}

package struct MembershipRecord: Hashable, Sendable {
    package var namespace: NamespaceID
    /// A `NamespaceRole` of the protocol.
    package var role: String

    package init(namespace: NamespaceID, role: String) {
        self.namespace = namespace
        self.role = role
    }
}

/// A key of a namespace, sealed under its org's key.
package struct NamespaceKeyRecord: Hashable, Sendable {
    package enum Purpose: String, Hashable, Sendable {
        /// Wraps the secrets of blocks.
        case wrap
        /// Seals content that is kept in node rows.
        case inline
    }

    package var namespace: NamespaceID
    package var id: KeyID
    package var purpose: Purpose
    package var wrapped: [UInt8]
    /// Whether new data is sealed under it.
    package var current: Bool

    package init(namespace: NamespaceID, id: KeyID, purpose: Purpose, wrapped: [UInt8], current: Bool) {
        self.namespace = namespace
        self.id = id
        self.purpose = purpose
        self.wrapped = wrapped
        self.current = current
    }
}

/// The state of a namespace's journal head.
package struct HeadRecord: Hashable, Sendable {
    package var namespace: NamespaceID
    package var seq: Seq

    package init(namespace: NamespaceID, seq: Seq) {
        self.namespace = namespace
        self.seq = seq
    }
}
