/// Statements on namespaces, their members and keys.
package enum NamespaceStatements: String, SQLStatements {
    case insertNamespace = """
        INSERT INTO namespaces (id, org_id, owner_id, root_node_id, epoch, head_seq, floor_seq, chain, limit_bytes,
            used_bytes, pinned_bytes)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
        """
    case namespace = """
        SELECT id, org_id, owner_id, root_node_id, epoch, head_seq, floor_seq, chain, limit_bytes, used_bytes,
            pinned_bytes
        FROM namespaces WHERE id = ?1
        """
    /// Locks the namespace's row for the rest of the transaction and takes the next seq.
    case takeSeq = """
        UPDATE namespaces SET head_seq = head_seq + 1 WHERE id = ?1
        RETURNING id, org_id, owner_id, root_node_id, epoch, head_seq, floor_seq, chain, limit_bytes, used_bytes,
            pinned_bytes
        """
    case finishCommit = "UPDATE namespaces SET chain = ?2, used_bytes = ?3, pinned_bytes = ?4 WHERE id = ?1"
    case pin = "UPDATE namespaces SET pinned_bytes = pinned_bytes + ?2 WHERE id = ?1"
    case setLimit = "UPDATE namespaces SET limit_bytes = ?2 WHERE id = ?1"
    case startEpoch = "UPDATE namespaces SET epoch = ?1"

    case insertMember = "INSERT INTO members (namespace_id, user_id, role) VALUES (?1, ?2, ?3)"
    case membershipsOfUser = "SELECT namespace_id, role FROM members WHERE user_id = ?1 ORDER BY namespace_id"
    case headsOfUser = """
        SELECT n.id, n.head_seq FROM members m JOIN namespaces n ON n.id = m.namespace_id
        WHERE m.user_id = ?1 ORDER BY n.id
        """

    case insertKey = """
        INSERT INTO namespace_keys (namespace_id, id, purpose, wrapped, current) VALUES (?1, ?2, ?3, ?4, ?5)
        """
    case keys = """
        SELECT namespace_id, id, purpose, wrapped, current FROM namespace_keys WHERE namespace_id = ?1 ORDER BY id
        """
}
