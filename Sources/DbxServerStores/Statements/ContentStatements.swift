/// Statements on segment rows, their references and revisions.
package enum ContentStatements: String, SQLStatements {
    case currentSegment = """
        SELECT node_id, idx, from_seq, to_seq, extents FROM segments
        WHERE namespace_id = ?1 AND node_id = ?2 AND idx = ?3 AND to_seq IS NULL
        """
    case currentSegments = """
        SELECT node_id, idx, from_seq, to_seq, extents FROM segments
        WHERE namespace_id = ?1 AND node_id = ?2 AND idx >= ?3 AND to_seq IS NULL ORDER BY idx
        """
    /// As the revision with this seq had them.
    case segmentsAt = """
        SELECT node_id, idx, from_seq, to_seq, extents FROM segments
        WHERE namespace_id = ?1 AND node_id = ?2 AND from_seq <= ?3 AND (to_seq IS NULL OR to_seq > ?3) ORDER BY idx
        """
    case insertSegment = """
        INSERT INTO segments (namespace_id, node_id, idx, from_seq, to_seq, extents)
        VALUES (?1, ?2, ?3, ?4, NULL, ?5)
        """
    case endSegment = """
        UPDATE segments SET to_seq = ?4 WHERE namespace_id = ?1 AND node_id = ?2 AND idx = ?3 AND to_seq IS NULL
        """
    case endSegments = "UPDATE segments SET to_seq = ?3 WHERE namespace_id = ?1 AND node_id = ?2 AND to_seq IS NULL"
    case insertReference = """
        INSERT INTO segment_blocks (namespace_id, node_id, idx, from_seq, block_id) VALUES (?1, ?2, ?3, ?4, ?5)
        """
    /// What the row's blocks are encoded against.
    case insertBaseReferences = """
        INSERT INTO segment_blocks (namespace_id, node_id, idx, from_seq, block_id)
        SELECT DISTINCT r.namespace_id, r.node_id, r.idx, r.from_seq, b.base_id FROM segment_blocks r
        JOIN namespace_blocks b ON b.namespace_id = r.namespace_id AND b.block_id = r.block_id
        WHERE r.namespace_id = ?1 AND r.node_id = ?2 AND r.idx = ?3 AND r.from_seq = ?4 AND b.base_id IS NOT NULL
        ON CONFLICT DO NOTHING
        """
    case currentSegmentsBetween = """
        SELECT node_id, idx, from_seq, to_seq, extents FROM segments
        WHERE namespace_id = ?1 AND from_seq > ?2 AND from_seq <= ?3 AND to_seq IS NULL ORDER BY from_seq, node_id, idx
        """
    case segmentSeqs = """
        SELECT from_seq FROM segments WHERE namespace_id = ?1 AND from_seq > ?2 AND to_seq IS NULL
        ORDER BY from_seq LIMIT ?3
        """

    case insertRevision = """
        INSERT INTO revisions (namespace_id, node_id, seq, size, mtime, content_hash, device_id, committed_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
        """
    /// Newest first, those before a seq.
    case revisions = """
        SELECT r.node_id, r.seq, r.size, r.mtime, r.content_hash, r.device_id, r.committed_at, d.name
        FROM revisions r LEFT JOIN devices d ON d.id = r.device_id
        WHERE r.namespace_id = ?1 AND r.node_id = ?2 AND r.seq < ?3 ORDER BY r.seq DESC LIMIT ?4
        """
}
