import DbxModel
import DbxServerStores
import DbxWire

/// Makes a user with a root namespace: its keys, its root directory, and the commit that begins its journal.
struct AccountMaker {
    let rows: any MetadataTransaction
    let vault: KeyVault
    let entropy: any Entropy
    let now: Timestamp

    func make(name: String, password: PasswordHash, limitBytes: Int64?) throws -> UserRecord {
        guard let org = try rows.orgs().first else { throw StoreError.corrupt("there is no org") }
        let user = UserRecord(
            id: UserID(from: entropy), org: org.id, name: name, password: password.text,
            rootNamespace: NamespaceID(from: entropy), createdAt: now)
        try rows.insert(user)
        let (root, first, digest) = (NodeID(from: entropy), CommitID(from: entropy), CommitChain.start)
        let seq = Seq.zero.next
        let namespace = NamespaceRecord(
            id: user.rootNamespace, org: org.id, owner: user.id, rootNode: root, epoch: entropy.bytes(16), head: seq,
            chain: CommitChain.next(after: CommitChain.start, seq: seq, commit: first, digest: digest),
            limitBytes: limitBytes)
        try rows.insert(namespace)
        try rows.insert(
            MembershipRecord(namespace: namespace.id, role: NamespaceRole.owner.rawValue), of: user.id)
        for key in try vault.makeKeys(of: namespace.id, in: org) { try rows.insert(key) }
        try rows.insert(
            CommitRecord(
                seq: seq, id: first, digest: digest, chain: namespace.chain, device: nil, committedAt: now,
                usedBytes: 0, limitBytes: limitBytes),
            in: namespace.id)
        try insertRoot(root, seq, first, namespace.id)
        return user
    }

    private func insertRoot(_ root: NodeID, _ seq: Seq, _ commit: CommitID, _ namespace: NamespaceID) throws {
        guard try rows.claim(root, for: namespace) else { throw StoreError.corrupt("a drawn node id is in use") }
        let attributes = NodeAttributes(mode: 0o755, mtime: now, ctime: now, birthTime: now)
        try rows.put(
            NodeRecord(
                id: root, seq: seq, commit: commit, kind: .directory, attributes: attributes, attributesSeq: seq,
                contentSeq: .zero),
            in: namespace)
    }
}
