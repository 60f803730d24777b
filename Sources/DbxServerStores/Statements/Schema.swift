/// The schema, one list of statements for each version; versions are only ever added. `{bytes}` and `{clustered}` are
/// spelled by the dialect.
///
/// Every table of a namespace starts its primary key with the namespace's id, so that namespaces can be spread over
/// servers by it (DESIGN §6).
package enum Schema {
    package static let versions: [[String]] = [
        accounts + namespaces + tree + content + blocks + journal, inlineBlocks, bases, unseen, packs,
    ]

    private static let accounts = [
        """
        CREATE TABLE orgs (
            id {bytes} PRIMARY KEY, name TEXT NOT NULL, wrapped_key {bytes} NOT NULL,
            wrapped_convergence_key {bytes} NOT NULL, created_at BIGINT NOT NULL)
        """,
        """
        CREATE TABLE users (
            id {bytes} PRIMARY KEY, org_id {bytes} NOT NULL, name TEXT NOT NULL UNIQUE, password TEXT NOT NULL,
            disabled BIGINT NOT NULL, root_namespace_id {bytes} NOT NULL, created_at BIGINT NOT NULL)
        """,
        """
        CREATE TABLE devices (
            id {bytes} PRIMARY KEY, user_id {bytes} NOT NULL, name TEXT NOT NULL, token_hash {bytes} NOT NULL UNIQUE,
            created_at BIGINT NOT NULL, last_seen_at BIGINT NOT NULL, revoked BIGINT NOT NULL)
        """,
        "CREATE INDEX devices_of_user ON devices (user_id)",
    ]

    private static let namespaces = [
        // head_seq is the counter that a commit locks and takes the next seq from; chain is the hash over all commits.
        """
        CREATE TABLE namespaces (
            id {bytes} PRIMARY KEY, org_id {bytes} NOT NULL, owner_id {bytes} NOT NULL, root_node_id {bytes} NOT NULL,
            epoch {bytes} NOT NULL, head_seq BIGINT NOT NULL, floor_seq BIGINT NOT NULL, chain {bytes} NOT NULL,
            limit_bytes BIGINT, used_bytes BIGINT NOT NULL, pinned_bytes BIGINT NOT NULL)
        """,
        """
        CREATE TABLE members (
            namespace_id {bytes} NOT NULL, user_id {bytes} NOT NULL, role TEXT NOT NULL,
            PRIMARY KEY (namespace_id, user_id)){clustered}
        """,
        "CREATE INDEX members_of_user ON members (user_id)",
        """
        CREATE TABLE namespace_keys (
            namespace_id {bytes} NOT NULL, id {bytes} NOT NULL, purpose TEXT NOT NULL, wrapped {bytes} NOT NULL,
            current BIGINT NOT NULL, PRIMARY KEY (namespace_id, id)){clustered}
        """,
    ]

    private static let tree = [
        // Which namespace a node id belongs to: an id is used once, anywhere.
        "CREATE TABLE node_homes (node_id {bytes} PRIMARY KEY, namespace_id {bytes} NOT NULL){clustered}",
        """
        CREATE TABLE nodes (
            namespace_id {bytes} NOT NULL, id {bytes} NOT NULL, seq BIGINT NOT NULL, commit_id {bytes},
            deleted BIGINT NOT NULL, kind TEXT NOT NULL, mode BIGINT NOT NULL, uid BIGINT, gid BIGINT,
            mtime BIGINT NOT NULL, ctime BIGINT NOT NULL, birth_time BIGINT NOT NULL, rdev BIGINT NOT NULL,
            extended_attributes {bytes}, attributes_seq BIGINT NOT NULL, content_seq BIGINT NOT NULL,
            encoding BIGINT NOT NULL, size BIGINT NOT NULL, allocated_bytes BIGINT NOT NULL, content_hash {bytes},
            target {bytes}, links BIGINT NOT NULL, PRIMARY KEY (namespace_id, id)){clustered}
        """,
        "CREATE INDEX nodes_by_seq ON nodes (namespace_id, seq)",
        // node_id is null on a tombstone.
        """
        CREATE TABLE entries (
            namespace_id {bytes} NOT NULL, parent_id {bytes} NOT NULL, name {bytes} NOT NULL, node_id {bytes},
            seq BIGINT NOT NULL, commit_id {bytes}, PRIMARY KEY (namespace_id, parent_id, name)){clustered}
        """,
        "CREATE INDEX entries_by_seq ON entries (namespace_id, seq)",
        "CREATE INDEX entries_of_node ON entries (namespace_id, node_id) WHERE node_id IS NOT NULL",
    ]

    private static let content = [
        // Valid for revisions from from_seq up to, not including, to_seq; null while current.
        """
        CREATE TABLE segments (
            namespace_id {bytes} NOT NULL, node_id {bytes} NOT NULL, idx BIGINT NOT NULL, from_seq BIGINT NOT NULL,
            to_seq BIGINT, extents {bytes} NOT NULL, PRIMARY KEY (namespace_id, node_id, idx, from_seq)){clustered}
        """,
        "CREATE UNIQUE INDEX segments_current ON segments (namespace_id, node_id, idx) WHERE to_seq IS NULL",
        "CREATE INDEX segments_by_seq ON segments (namespace_id, from_seq) WHERE to_seq IS NULL",
        """
        CREATE TABLE segment_blocks (
            namespace_id {bytes} NOT NULL, node_id {bytes} NOT NULL, idx BIGINT NOT NULL, from_seq BIGINT NOT NULL,
            block_id {bytes} NOT NULL, PRIMARY KEY (namespace_id, node_id, idx, from_seq, block_id)){clustered}
        """,
        """
        CREATE TABLE revisions (
            namespace_id {bytes} NOT NULL, node_id {bytes} NOT NULL, seq BIGINT NOT NULL, size BIGINT NOT NULL,
            mtime BIGINT NOT NULL, content_hash {bytes}, device_id {bytes} NOT NULL, committed_at BIGINT NOT NULL,
            PRIMARY KEY (namespace_id, node_id, seq)){clustered}
        """,
    ]

    private static let blocks = [
        // What is, or may become, an object `<id>.<generation>`: granted, stored or live (DESIGN §6).
        """
        CREATE TABLE blocks (
            id {bytes} PRIMARY KEY, generation BIGINT NOT NULL, stored_bytes BIGINT NOT NULL, state TEXT NOT NULL,
            created_at BIGINT NOT NULL){clustered}
        """,
        """
        CREATE TABLE namespace_blocks (
            namespace_id {bytes} NOT NULL, block_id {bytes} NOT NULL, seq BIGINT NOT NULL, sealed {bytes} NOT NULL,
            key_id {bytes} NOT NULL, plain_bytes BIGINT NOT NULL, stored_bytes BIGINT NOT NULL,
            PRIMARY KEY (namespace_id, block_id)){clustered}
        """,
        "CREATE INDEX namespace_blocks_by_seq ON namespace_blocks (namespace_id, seq)",
        // A grant, then a receipt, of one device; gone when the block is committed or after 7 idle days.
        """
        CREATE TABLE uploads (
            namespace_id {bytes} NOT NULL, block_id {bytes} NOT NULL, device_id {bytes} NOT NULL, id {bytes} NOT NULL,
            stored_bytes BIGINT NOT NULL, state TEXT NOT NULL, touched_at BIGINT NOT NULL,
            PRIMARY KEY (namespace_id, block_id, device_id)){clustered}
        """,
        "CREATE UNIQUE INDEX uploads_by_id ON uploads (id)",
        "CREATE INDEX uploads_by_age ON uploads (touched_at)",
    ]

    private static let inlineBlocks = [
        // The stored form of small blocks, which are no objects. Not clustered: the rows are large.
        "CREATE TABLE block_bodies (block_id {bytes} PRIMARY KEY, body {bytes} NOT NULL)"
    ]

    /// The block that another one is encoded against.
    private static let bases = ["ALTER TABLE namespace_blocks ADD COLUMN base_id {bytes}"]

    /// Of a name that was taken from a file whose content was not seen.
    private static let unseen = ["ALTER TABLE entries ADD COLUMN left_unseen BIGINT NOT NULL DEFAULT 0"]

    private static let packs = [
        // Objects that hold many small blocks.
        "CREATE TABLE packs (id {bytes} PRIMARY KEY, stored_bytes BIGINT NOT NULL, created_at BIGINT NOT NULL){clustered}",
        // Of a block that is no object of its own: where its bytes begin in which pack.
        """
        CREATE TABLE packed_blocks (
            block_id {bytes} PRIMARY KEY, pack_id {bytes} NOT NULL, position BIGINT NOT NULL){clustered}
        """,
        "CREATE INDEX packed_blocks_by_pack ON packed_blocks (pack_id)",
    ]

    private static let journal = [
        // The answer of each commit, for its repetition; chain is the hash over all commits up to it.
        """
        CREATE TABLE commits (
            namespace_id {bytes} NOT NULL, seq BIGINT NOT NULL, id {bytes} NOT NULL, digest {bytes} NOT NULL,
            chain {bytes} NOT NULL, device_id {bytes}, committed_at BIGINT NOT NULL, used_bytes BIGINT NOT NULL,
            limit_bytes BIGINT, PRIMARY KEY (namespace_id, seq)){clustered}
        """,
        "CREATE UNIQUE INDEX commits_by_id ON commits (namespace_id, id)",
        // Notices to publish, deleted when that is done.
        """
        CREATE TABLE outbox (
            namespace_id {bytes} NOT NULL, seq BIGINT NOT NULL, PRIMARY KEY (namespace_id, seq)){clustered}
        """,
    ]
}
