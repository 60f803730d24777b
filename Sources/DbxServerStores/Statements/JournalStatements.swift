/// Statements on commits and the outbox.
package enum JournalStatements: String, SQLStatements {
    case commitByID = """
        SELECT seq, id, digest, chain, device_id, committed_at, used_bytes, limit_bytes FROM commits
        WHERE namespace_id = ?1 AND id = ?2
        """
    case commitAt = """
        SELECT seq, id, digest, chain, device_id, committed_at, used_bytes, limit_bytes FROM commits
        WHERE namespace_id = ?1 AND seq = ?2
        """
    case insertCommit = """
        INSERT INTO commits (namespace_id, seq, id, digest, chain, device_id, committed_at, used_bytes, limit_bytes)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
        """
    /// The server's own, behind a seq.
    case ownCommits = "SELECT COUNT(*) FROM commits WHERE namespace_id = ?1 AND seq > ?2 AND device_id IS NULL"
    case insertNotice = "INSERT INTO outbox (namespace_id, seq) VALUES (?1, ?2)"
    case notices = "SELECT namespace_id, seq FROM outbox ORDER BY namespace_id, seq LIMIT ?1"
    case deleteNotice = "DELETE FROM outbox WHERE namespace_id = ?1 AND seq = ?2"
}

/// Statements that count for `status`; they read whole tables.
package enum StatusStatements: String, SQLStatements {
    case users = "SELECT COUNT(*) FROM users"
    case devices = "SELECT COUNT(*) FROM devices WHERE revoked = 0"
    case nodes = "SELECT COUNT(*) FROM nodes WHERE deleted = 0"
    case storedBlocks = """
        SELECT COUNT(*), CAST(COALESCE(SUM(stored_bytes), 0) AS BIGINT) FROM blocks
        WHERE state IN ('stored', 'live')
        """
    case liveBlocks = """
        SELECT COUNT(*), CAST(COALESCE(SUM(stored_bytes), 0) AS BIGINT) FROM blocks WHERE id IN (
            SELECT r.block_id FROM segments s JOIN segment_blocks r ON r.namespace_id = s.namespace_id
                AND r.node_id = s.node_id AND r.idx = s.idx AND r.from_seq = s.from_seq
            WHERE s.to_seq IS NULL)
        """
    /// In order of id, behind one; those that are lost too.
    case blocksAfter = """
        SELECT id, generation, stored_bytes, state, created_at FROM blocks WHERE id > ?1 AND state <> 'granted'
        ORDER BY id LIMIT ?2
        """
    case usageOfUser = """
        SELECT n.used_bytes, n.limit_bytes,
            (SELECT COUNT(*) FROM devices d WHERE d.user_id = u.id AND d.revoked = 0)
        FROM users u JOIN namespaces n ON n.id = u.root_namespace_id WHERE u.id = ?1
        """
}
