package import DbxModel

/// Orgs, users and devices.
package protocol AccountRows {
    func insert(_ org: OrgRecord) throws(StoreError)
    /// Oldest first.
    func orgs() throws(StoreError) -> [OrgRecord]

    /// The name must not be in use; see `user(named:)`.
    func insert(_ user: UserRecord) throws(StoreError)
    func user(named name: String) throws(StoreError) -> UserRecord?
    func user(_ id: UserID) throws(StoreError) -> UserRecord?
    /// By name.
    func users() throws(StoreError) -> [UserRecord]
    func setDisabled(_ disabled: Bool, user: UserID) throws(StoreError)
    func setPassword(_ password: String, user: UserID) throws(StoreError)

    func insert(_ device: DeviceRecord) throws(StoreError)
    func bearer(ofTokenHash hash: [UInt8]) throws(StoreError) -> TokenBearer?
    /// Revoked ones included.
    func device(_ id: DeviceID) throws(StoreError) -> DeviceRecord?
    /// Those not revoked, oldest first.
    func devices(of user: UserID) throws(StoreError) -> [DeviceRecord]
    func setLastSeen(_ time: Timestamp, device: DeviceID) throws(StoreError)
    func revoke(_ device: DeviceID) throws(StoreError)
    func revokeDevices(of user: UserID) throws(StoreError)

    /// Nil unless the device is the user's, not revoked, and the user not disabled; then the user's role in the
    /// namespace, nil outside it.
    func standing(of device: DeviceID, of user: UserID, in namespace: NamespaceID?) throws(StoreError) -> Standing?
}

/// What a device's user is in a namespace.
package struct Standing: Hashable, Sendable {
    /// A `NamespaceRole` of the protocol; nil for who is no member.
    package var role: String?
}

/// Namespaces, members and keys.
package protocol NamespaceRows {
    func insert(_ namespace: NamespaceRecord) throws(StoreError)
    func namespace(_ id: NamespaceID) throws(StoreError) -> NamespaceRecord?
    /// Takes the next seq and locks the namespace against other writers until the transaction ends. The record already
    /// has the new head; nil for an unknown namespace.
    func takeSeq(in namespace: NamespaceID) throws(StoreError) -> NamespaceRecord?
    func finishCommit(
        in namespace: NamespaceID, chain: [UInt8], usedBytes: Int64, pinnedBytes: Int64
    ) throws(StoreError)
    /// Adds to the pinned bytes.
    func pin(_ bytes: Int64, in namespace: NamespaceID) throws(StoreError)
    func setLimit(_ bytes: Int64?, of namespace: NamespaceID) throws(StoreError)
    /// In every namespace.
    func startEpoch(_ epoch: [UInt8]) throws(StoreError)

    func insert(_ membership: MembershipRecord, of user: UserID) throws(StoreError)
    func memberships(of user: UserID) throws(StoreError) -> [MembershipRecord]
    /// Of all namespaces that the user is a member of.
    func heads(of user: UserID) throws(StoreError) -> [HeadRecord]

    func insert(_ key: NamespaceKeyRecord) throws(StoreError)
    func keys(of namespace: NamespaceID) throws(StoreError) -> [NamespaceKeyRecord]
}

/// Nodes and entries.
package protocol TreeRows {
    /// Makes `node` an id of this namespace; false where the id is in use, here or anywhere.
    func claim(_ node: NodeID, for namespace: NamespaceID) throws(StoreError) -> Bool
    /// Tombstones included.
    func node(_ id: NodeID, in namespace: NamespaceID) throws(StoreError) -> NodeRecord?
    /// Inserts or replaces; kind and target stay as they were inserted.
    func put(_ node: NodeRecord, in namespace: NamespaceID) throws(StoreError)
    /// Those with a seq behind `after` up to `through`, in seq order, tombstones included.
    func nodes(in namespace: NamespaceID, after: Seq, through: Seq) throws(StoreError) -> [NodeRecord]

    /// Tombstones included.
    func entry(parent: NodeID, name: Name, in namespace: NamespaceID) throws(StoreError) -> EntryRecord?
    func put(_ entry: EntryRecord, in namespace: NamespaceID) throws(StoreError)
    /// The live entries that name the node.
    func entries(of node: NodeID, in namespace: NamespaceID) throws(StoreError) -> [EntryRecord]
    /// The live entries of a directory behind a name (from the beginning when nil), in name order.
    func entries(
        inDirectory parent: NodeID, after: Name?, limit: Int, in namespace: NamespaceID
    ) throws(StoreError) -> [EntryRecord]
    /// The same with their nodes.
    func listing(
        of parent: NodeID, after: Name?, limit: Int, in namespace: NamespaceID
    ) throws(StoreError) -> [(entry: EntryRecord, node: NodeRecord?)]
    func entries(in namespace: NamespaceID, after: Seq, through: Seq) throws(StoreError) -> [EntryRecord]
}

/// Segment rows, their references and revisions.
package protocol ContentRows {
    func currentSegment(
        _ index: Int64, of node: NodeID, in namespace: NamespaceID
    ) throws(StoreError) -> SegmentRecord?
    /// From an index on, in order.
    func currentSegments(
        of node: NodeID, from index: Int64, in namespace: NamespaceID
    ) throws(StoreError) -> [SegmentRecord]
    /// As the revision with this seq had them, in order.
    func segments(of node: NodeID, at seq: Seq, in namespace: NamespaceID) throws(StoreError) -> [SegmentRecord]
    /// A new current row with the references to its blocks and to their bases, all of which are there; the one before it must have been ended.
    func insert(_ segment: SegmentRecord, in namespace: NamespaceID) throws(StoreError)
    func endSegment(_ index: Int64, of node: NodeID, at seq: Seq, in namespace: NamespaceID) throws(StoreError)
    /// All current rows of a node.
    func endSegments(of node: NodeID, at seq: Seq, in namespace: NamespaceID) throws(StoreError)
    /// The current rows that began behind `after` up to `through`, in seq order.
    func currentSegments(in namespace: NamespaceID, after: Seq, through: Seq) throws(StoreError) -> [SegmentRecord]

    func insert(_ revision: RevisionRecord, in namespace: NamespaceID) throws(StoreError)
    /// Newest first, those before a seq, with the names of their devices.
    func revisions(
        of node: NodeID, before: Seq, limit: Int, in namespace: NamespaceID
    ) throws(StoreError) -> [(revision: RevisionRecord, deviceName: String?)]
}

/// Blocks, their wraps in namespaces, and uploads.
package protocol BlockRows {
    func block(_ id: BlockID) throws(StoreError) -> BlockRecord?
    /// Keeps the row that is there.
    func insertIfAbsent(_ block: BlockRecord) throws(StoreError)
    func setState(_ state: BlockRecord.State, of block: BlockID) throws(StoreError)
    /// The bytes are there, and have been compared with the id: so many they are, whatever somebody said before.
    func setState(_ state: BlockRecord.State, of block: BlockID, storedBytes: Int64) throws(StoreError)
    /// The stored form of a block that is no object; nil for others.
    func body(of block: BlockID) throws(StoreError) -> [UInt8]?
    /// Keeps the body that is there.
    func insertBody(_ body: [UInt8], of block: BlockID) throws(StoreError)

    /// Of an object that is to hold many blocks, before it is made. Keeps the row that is there.
    func insertPack(_ id: BlockID, storedBytes: Int64, at time: Timestamp) throws(StoreError)
    /// Nil where the block does not lie in a pack.
    func place(of block: BlockID) throws(StoreError) -> PackPlace?
    func setPlace(_ place: PackPlace?, of block: BlockID) throws(StoreError)

    func namespaceBlock(_ block: BlockID, in namespace: NamespaceID) throws(StoreError) -> NamespaceBlockRecord?
    func insert(_ block: NamespaceBlockRecord, in namespace: NamespaceID) throws(StoreError)
    func namespaceBlocks(
        in namespace: NamespaceID, after: Seq, through: Seq
    ) throws(StoreError) -> [NamespaceBlockRecord]

    func upload(of block: BlockID, by device: DeviceID, in namespace: NamespaceID) throws(StoreError) -> UploadRecord?
    func upload(_ id: UploadID) throws(StoreError) -> UploadRecord?
    func insert(_ upload: UploadRecord) throws(StoreError)
    /// Writes state and time of an upload that is there.
    func update(_ upload: UploadRecord) throws(StoreError)
    /// The uploads of all devices; returns the stored bytes that they pinned.
    func deleteUploads(of block: BlockID, in namespace: NamespaceID) throws(StoreError) -> Int64
    /// Takes those that were touched after `time` as touched then.
    func touchUploads(notAfter time: Timestamp) throws(StoreError)
    /// Those last touched before `time`, oldest first.
    func uploads(idleSince time: Timestamp, limit: Int) throws(StoreError) -> [UploadRecord]
    func delete(_ upload: UploadRecord) throws(StoreError)
}

/// Commits and the outbox.
package protocol JournalRows {
    func commit(_ id: CommitID, in namespace: NamespaceID) throws(StoreError) -> CommitRecord?
    func commit(at seq: Seq, in namespace: NamespaceID) throws(StoreError) -> CommitRecord?
    /// How many behind `after` no device has sent.
    func ownCommits(in namespace: NamespaceID, after: Seq) throws(StoreError) -> Int
    func insert(_ commit: CommitRecord, in namespace: NamespaceID) throws(StoreError)
    /// The first seqs behind `after` that any row of the namespace carries, in order, one for each row.
    func rowSeqs(in namespace: NamespaceID, after: Seq, limit: Int) throws(StoreError) -> [Seq]

    func insertNotice(_ notice: HeadRecord) throws(StoreError)
    /// By namespace and seq.
    func notices(limit: Int) throws(StoreError) -> [HeadRecord]
    func deleteNotice(_ notice: HeadRecord) throws(StoreError)
}

/// Counts; they read whole tables.
package protocol StatusRows {
    func userCount() throws(StoreError) -> Int
    /// Not revoked.
    func deviceCount() throws(StoreError) -> Int
    func nodeCount() throws(StoreError) -> Int
    /// Blocks whose object is there.
    func storedBlocks() throws(StoreError) -> BlockTotals
    /// Blocks that current content refers to.
    func liveBlocks() throws(StoreError) -> BlockTotals
    /// Blocks whose object is there, in order of id, behind one.
    func blocks(after: BlockID?, limit: Int) throws(StoreError) -> [BlockRecord]
    func usage(of user: UserID) throws(StoreError) -> UsageRecord?
    /// Whether there is a row for the block, whatever its state, or for the pack.
    func hasRow(for object: ObjectKey) throws(StoreError) -> Bool
}

/// What a check of everything reads, and what its repairs write. They read whole tables.
package protocol CheckRows {
    /// Counts rows that contradict others: none in a sound store.
    func contradictions() throws(StoreError) -> [Contradiction]
    /// Of every namespace, by id.
    func heads() throws(StoreError) -> [HeadRecord]
    /// The commits behind a seq, in order.
    func commits(in namespace: NamespaceID, after: Seq, limit: Int) throws(StoreError) -> [CommitRecord]
    /// All segment rows of a namespace, with what their extents cannot be read from left out and counted.
    func segmentReferences(in namespace: NamespaceID) throws(StoreError) -> SegmentReferences
    /// Replaces the references of a segment row by those of its extents.
    func putReferences(of segment: SegmentRecord, in namespace: NamespaceID) throws(StoreError)
    /// Live nodes that no way leads to from their root.
    func nodesOutOfReach(in namespace: NamespaceID) throws(StoreError) -> [NodeID]
    /// Live entries that name no live node, or lie in no live directory.
    func danglingEntries(in namespace: NamespaceID) throws(StoreError) -> [EntryRecord]
    /// Live files with the block in their current content, with one of their names.
    func files(with block: BlockID) throws(StoreError) -> [AffectedFile]
    /// Blocks that a namespace has and whose bytes are lost, in order.
    func lostBlocks() throws(StoreError) -> [BlockRecord]
    /// Takes back that the bytes of a block are there: of a committed one they are lost, others are granted again.
    func setLost(_ block: BlockID) throws(StoreError)
    /// Derives anew what can be derived; returns how many rows each statement changed.
    func derive() throws(StoreError) -> [(what: DerivationStatements, count: Int)]
}

/// So many of what must not be.
package struct Contradiction: Hashable, Sendable {
    package var what: ConsistencyStatements
    package var count: Int
}

/// Segment rows whose references are other ones than their extents name.
package struct SegmentReferences: Hashable, Sendable {
    package var wrong: [SegmentRecord] = []
    /// Rows whose extents make no sense.
    package var unreadable: Int = 0
}

/// A file that needs a block.
package struct AffectedFile: Hashable, Sendable {
    package var namespace: NamespaceID
    package var node: NodeID
}
