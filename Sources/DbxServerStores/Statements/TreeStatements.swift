/// Statements on nodes and entries.
package enum TreeStatements: String, SQLStatements {
    /// Changes nothing where the id is used already.
    case claimNode = """
        INSERT INTO node_homes (node_id, namespace_id) VALUES (?1, ?2) ON CONFLICT (node_id) DO NOTHING
        """
    case node = """
        SELECT id, seq, commit_id, deleted, kind, mode, uid, gid, mtime, ctime, birth_time, rdev, extended_attributes,
            attributes_seq, content_seq, encoding, size, allocated_bytes, content_hash, target, links
        FROM nodes WHERE namespace_id = ?1 AND id = ?2
        """
    case putNode = """
        INSERT INTO nodes (namespace_id, id, seq, commit_id, deleted, kind, mode, uid, gid, mtime, ctime, birth_time,
            rdev, extended_attributes, attributes_seq, content_seq, encoding, size, allocated_bytes, content_hash,
            target, links)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)
        ON CONFLICT (namespace_id, id) DO UPDATE SET seq = excluded.seq, commit_id = excluded.commit_id,
            deleted = excluded.deleted, mode = excluded.mode, uid = excluded.uid, gid = excluded.gid,
            mtime = excluded.mtime, ctime = excluded.ctime, birth_time = excluded.birth_time, rdev = excluded.rdev,
            extended_attributes = excluded.extended_attributes, attributes_seq = excluded.attributes_seq,
            content_seq = excluded.content_seq, encoding = excluded.encoding, size = excluded.size,
            allocated_bytes = excluded.allocated_bytes, content_hash = excluded.content_hash,
            links = excluded.links
        """
    case nodesBetween = """
        SELECT id, seq, commit_id, deleted, kind, mode, uid, gid, mtime, ctime, birth_time, rdev, extended_attributes,
            attributes_seq, content_seq, encoding, size, allocated_bytes, content_hash, target, links
        FROM nodes WHERE namespace_id = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq, id
        """
    case nodeSeqs = "SELECT seq FROM nodes WHERE namespace_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3"

    case entry = """
        SELECT parent_id, name, node_id, seq, commit_id, left_unseen FROM entries
        WHERE namespace_id = ?1 AND parent_id = ?2 AND name = ?3
        """
    case putEntry = """
        INSERT INTO entries (namespace_id, parent_id, name, node_id, seq, commit_id, left_unseen)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
        ON CONFLICT (namespace_id, parent_id, name) DO UPDATE SET node_id = excluded.node_id, seq = excluded.seq,
            commit_id = excluded.commit_id, left_unseen = excluded.left_unseen
        """
    case entriesOfNode = """
        SELECT parent_id, name, node_id, seq, commit_id, left_unseen FROM entries
        WHERE namespace_id = ?1 AND node_id = ?2 ORDER BY parent_id, name
        """
    /// Live entries in name order behind a name.
    case entriesInDirectory = """
        SELECT parent_id, name, node_id, seq, commit_id, left_unseen FROM entries
        WHERE namespace_id = ?1 AND parent_id = ?2 AND name > ?3 AND node_id IS NOT NULL ORDER BY name LIMIT ?4
        """
    /// The same with their nodes.
    case listing = """
        SELECT entries.parent_id, entries.name, entries.node_id, entries.seq, entries.commit_id, left_unseen, nodes.id,
            nodes.seq, nodes.commit_id, deleted, kind, mode, uid, gid, mtime, ctime, birth_time, rdev, extended_attributes,
            attributes_seq, content_seq, encoding, size, allocated_bytes, content_hash, target, links
        FROM entries LEFT JOIN nodes ON nodes.namespace_id = ?1 AND nodes.id = entries.node_id
        WHERE entries.namespace_id = ?1 AND entries.parent_id = ?2 AND entries.name > ?3 AND entries.node_id IS NOT NULL
        ORDER BY entries.name LIMIT ?4
        """
    case entriesBetween = """
        SELECT parent_id, name, node_id, seq, commit_id, left_unseen FROM entries
        WHERE namespace_id = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq, parent_id, name
        """
    case entrySeqs = "SELECT seq FROM entries WHERE namespace_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3"
}
