/// Statements on blocks, their wraps in namespaces, and uploads.
package enum BlockStatements: String, SQLStatements {
    case block = "SELECT id, generation, stored_bytes, state, created_at FROM blocks WHERE id = ?1"
    /// Keeps the row that is there.
    case insertBlock = """
        INSERT INTO blocks (id, generation, stored_bytes, state, created_at) VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (id) DO NOTHING
        """
    case setBlockState = "UPDATE blocks SET state = ?2 WHERE id = ?1"
    case setStoredBlock = "UPDATE blocks SET state = ?2, stored_bytes = ?3 WHERE id = ?1"

    case blockBody = "SELECT body FROM block_bodies WHERE block_id = ?1"
    case insertBlockBody = """
        INSERT INTO block_bodies (block_id, body) VALUES (?1, ?2) ON CONFLICT (block_id) DO NOTHING
        """

    case insertPack = """
        INSERT INTO packs (id, stored_bytes, created_at) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO NOTHING
        """
    case pack = "SELECT id FROM packs WHERE id = ?1"
    case blockPlace = "SELECT pack_id, position FROM packed_blocks WHERE block_id = ?1"
    case putBlockPlace = """
        INSERT INTO packed_blocks (block_id, pack_id, position) VALUES (?1, ?2, ?3)
        ON CONFLICT (block_id) DO UPDATE SET pack_id = excluded.pack_id, position = excluded.position
        """
    case deleteBlockPlace = "DELETE FROM packed_blocks WHERE block_id = ?1"

    case namespaceBlock = """
        SELECT block_id, seq, sealed, key_id, plain_bytes, stored_bytes, base_id FROM namespace_blocks
        WHERE namespace_id = ?1 AND block_id = ?2
        """
    case insertNamespaceBlock = """
        INSERT INTO namespace_blocks (namespace_id, block_id, seq, sealed, key_id, plain_bytes, stored_bytes, base_id)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
        """
    case namespaceBlocksBetween = """
        SELECT block_id, seq, sealed, key_id, plain_bytes, stored_bytes, base_id FROM namespace_blocks
        WHERE namespace_id = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq, block_id
        """
    case namespaceBlockSeqs = """
        SELECT seq FROM namespace_blocks WHERE namespace_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3
        """

    case upload = """
        SELECT namespace_id, block_id, device_id, id, stored_bytes, state, touched_at FROM uploads
        WHERE namespace_id = ?1 AND block_id = ?2 AND device_id = ?3
        """
    case uploadByID = """
        SELECT namespace_id, block_id, device_id, id, stored_bytes, state, touched_at FROM uploads WHERE id = ?1
        """
    case insertUpload = """
        INSERT INTO uploads (namespace_id, block_id, device_id, id, stored_bytes, state, touched_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
        """
    case updateUpload = """
        UPDATE uploads SET state = ?4, touched_at = ?5 WHERE namespace_id = ?1 AND block_id = ?2 AND device_id = ?3
        """
    /// Those of all devices: once the namespace has a block nobody needs a receipt for it.
    case deleteUploads = "DELETE FROM uploads WHERE namespace_id = ?1 AND block_id = ?2 RETURNING stored_bytes"
    case idleUploads = """
        SELECT namespace_id, block_id, device_id, id, stored_bytes, state, touched_at FROM uploads
        WHERE touched_at < ?1 ORDER BY touched_at LIMIT ?2
        """
    /// Touched in the future: by a clock that was wrong. They are as new as can be.
    case untimelyUploads = "UPDATE uploads SET touched_at = ?1 WHERE touched_at > ?1"
    case deleteUpload = "DELETE FROM uploads WHERE namespace_id = ?1 AND block_id = ?2 AND device_id = ?3"
}
