/// What a check reads beside counts, and the single rows that a repair writes. In the shared dialect.
package enum CheckStatements: String, SQLStatements {
    case heads = "SELECT id, head_seq FROM namespaces ORDER BY id"
    case commitsAfter = """
        SELECT seq, id, digest, chain, device_id, committed_at, used_bytes, limit_bytes FROM commits
        WHERE namespace_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3
        """
    case segments = """
        SELECT node_id, idx, from_seq, to_seq, extents FROM segments WHERE namespace_id = ?1
        ORDER BY node_id, idx, from_seq
        """
    case references = """
        SELECT block_id FROM segment_blocks WHERE namespace_id = ?1 AND node_id = ?2 AND idx = ?3 AND from_seq = ?4
        ORDER BY block_id
        """
    case deleteReferences = """
        DELETE FROM segment_blocks WHERE namespace_id = ?1 AND node_id = ?2 AND idx = ?3 AND from_seq = ?4
        """
    case nodesOutOfReach = """
        WITH RECURSIVE reached(id) AS (SELECT root_node_id FROM namespaces WHERE id = ?1
            UNION SELECT entries.node_id FROM reached JOIN entries
                ON entries.namespace_id = ?1 AND entries.parent_id = reached.id WHERE entries.node_id IS NOT NULL)
        SELECT id FROM nodes WHERE namespace_id = ?1 AND deleted = 0 EXCEPT SELECT id FROM reached ORDER BY id
        """
    case danglingEntries = """
        SELECT parent_id, name, node_id, seq, commit_id, left_unseen FROM entries
        WHERE namespace_id = ?1 AND node_id IS NOT NULL AND (
            NOT EXISTS (SELECT 1 FROM nodes WHERE nodes.namespace_id = ?1 AND nodes.id = entries.node_id
                AND nodes.deleted = 0)
            OR NOT EXISTS (SELECT 1 FROM nodes WHERE nodes.namespace_id = ?1 AND nodes.id = entries.parent_id
                AND nodes.deleted = 0 AND nodes.kind = 'directory'))
        ORDER BY parent_id, name
        """
    case filesWithBlock = """
        SELECT DISTINCT s.namespace_id, s.node_id FROM segment_blocks r JOIN segments s
            ON s.namespace_id = r.namespace_id AND s.node_id = r.node_id AND s.idx = r.idx AND s.from_seq = r.from_seq
        WHERE r.block_id = ?1 AND s.to_seq IS NULL ORDER BY s.namespace_id, s.node_id
        """
    case lostBlocks = """
        SELECT id, generation, stored_bytes, state, created_at FROM blocks WHERE state = 'lost' ORDER BY id
        """
    /// Of a committed block the bytes are lost; another one may be uploaded as if it had never been.
    case loseBlock = """
        UPDATE blocks SET state = CASE WHEN EXISTS (SELECT 1 FROM namespace_blocks
            WHERE namespace_blocks.block_id = blocks.id) THEN 'lost' ELSE 'granted' END WHERE id = ?1
        """
    case loseReceipts = "UPDATE uploads SET state = 'granted' WHERE block_id = ?1"
    case deleteBody = "DELETE FROM block_bodies WHERE block_id = ?1"
}

/// What can be derived from other rows is, where it differs. In this order: each relies on those before.
package enum DerivationStatements: String, SQLStatements {
    case homes = """
        INSERT INTO node_homes (node_id, namespace_id) SELECT id, namespace_id FROM nodes WHERE NOT EXISTS
            (SELECT 1 FROM node_homes WHERE node_homes.node_id = nodes.id) ON CONFLICT (node_id) DO NOTHING
        """
    case links = """
        UPDATE nodes SET links = (SELECT count(*) FROM entries
            WHERE entries.namespace_id = nodes.namespace_id AND entries.node_id = nodes.id)
        WHERE deleted = 0 AND links <> (SELECT count(*) FROM entries
            WHERE entries.namespace_id = nodes.namespace_id AND entries.node_id = nodes.id)
        """
    case unknownBlocks = """
        INSERT INTO blocks (id, generation, stored_bytes, state, created_at)
            SELECT DISTINCT block_id, 1, stored_bytes, 'live', 0 FROM namespace_blocks WHERE NOT EXISTS
                (SELECT 1 FROM blocks WHERE blocks.id = namespace_blocks.block_id) ON CONFLICT (id) DO NOTHING
        """
    case committedBlocks = """
        UPDATE blocks SET state = 'live' WHERE state NOT IN ('live', 'lost') AND EXISTS (SELECT 1 FROM namespace_blocks
            WHERE namespace_blocks.block_id = blocks.id)
        """
    case receipts = """
        UPDATE uploads SET state = 'granted' WHERE state = 'stored' AND NOT EXISTS (SELECT 1 FROM blocks
            WHERE blocks.id = uploads.block_id AND blocks.state IN ('stored', 'live'))
        """
    case usage = """
        UPDATE namespaces SET
            used_bytes = (SELECT COALESCE(sum(allocated_bytes), 0) FROM nodes
                WHERE nodes.namespace_id = namespaces.id AND nodes.deleted = 0),
            pinned_bytes = (SELECT COALESCE(sum(stored_bytes), 0) FROM uploads
                WHERE uploads.namespace_id = namespaces.id)
        WHERE used_bytes <> (SELECT COALESCE(sum(allocated_bytes), 0) FROM nodes
                WHERE nodes.namespace_id = namespaces.id AND nodes.deleted = 0)
            OR pinned_bytes <> (SELECT COALESCE(sum(stored_bytes), 0) FROM uploads
                WHERE uploads.namespace_id = namespaces.id)
        """

    /// For people: what so many of were derived anew.
    package var description: String {
        switch self {
        case .homes: "ids of nodes noted as their tree's"
        case .links: "numbers of names counted anew"
        case .unknownBlocks: "committed blocks noted as stored"
        case .committedBlocks: "blocks noted as committed"
        case .receipts: "receipts without bytes taken back: the devices upload again"
        case .usage: "usages of accounts counted anew"
        }
    }
}
