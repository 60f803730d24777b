import GRDB

/// The tables of `state.db`. A change is a new migration; released ones are never edited.
enum Schema {
    static let migrator: DatabaseMigrator = {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { db in try db.execute(sql: version1) }
        migrator.registerMigration("2") { db in try db.execute(sql: version2) }
        migrator.registerMigration("3") { db in try db.execute(sql: version3) }
        migrator.registerMigration("4") { db in try db.execute(sql: version4) }
        migrator.registerMigration("5") { db in try db.execute(sql: version5) }
        migrator.registerMigration("pins") { db in try db.execute(sql: pins) }
        migrator.registerMigration("nameless") { db in try db.execute(sql: nameless) }
        migrator.registerMigration("listings") { db in try db.execute(sql: listings) }
        migrator.registerMigration("histories") { db in try db.execute(sql: histories) }
        migrator.registerMigration("merges") { db in try db.execute(sql: merges) }
        migrator.registerMigration("lost-names") { db in try db.execute(sql: lostNames) }
        migrator.registerMigration("parted") { db in try db.execute(sql: parted) }
        migrator.registerMigration("commit-order") { db in try db.execute(sql: commitOrder) }
        migrator.registerMigration("blind-names") { db in try db.execute(sql: blindNames) }
        return migrator
    }()

    /// `nodes.flags`: bits of `NodeFlags`. `entries.child` NULL: removed here, the server does not know yet.
    /// `content` holds byte-granular extents of the local content: staging where `block` is NULL, then `place` is a
    /// position in `segment`; else an offset in the block. No extent crosses a 64 MiB border. `dirty_stretches.base` is the
    /// agreed content of a stretch that was changed here; NULL: nothing was agreed. `commits.epoch`: epochs of the contents
    /// that the commit sends are below it. `blocks.agreed`: 0 for a block whose bytes go up with a commit to come.
    /// `cache.block`: what a `CacheItem` is stored as; below zero for a frame.
    private static let version1 = """
        CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

        CREATE TABLE nodes (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            id BLOB NOT NULL UNIQUE,
            kind INTEGER NOT NULL,
            mode INTEGER NOT NULL, uid INTEGER, gid INTEGER, rdev INTEGER NOT NULL,
            mtime INTEGER NOT NULL, ctime INTEGER NOT NULL, birth INTEGER NOT NULL, atime INTEGER NOT NULL,
            xattrs BLOB, target BLOB,
            links INTEGER NOT NULL, size INTEGER NOT NULL, allocated INTEGER NOT NULL,
            seq INTEGER NOT NULL, attributes_seq INTEGER NOT NULL, content_seq INTEGER NOT NULL,
            flags INTEGER NOT NULL, base_attributes BLOB,
            change INTEGER NOT NULL, dirty_since INTEGER, content_changed INTEGER NOT NULL,
            content_change INTEGER NOT NULL
        );
        CREATE INDEX nodes_dirty ON nodes (change) WHERE flags & 3 != 0;
        CREATE INDEX nodes_orphan ON nodes (number) WHERE flags & 16 != 0;

        CREATE TABLE entries (
            parent INTEGER NOT NULL, name BLOB NOT NULL,
            child INTEGER, cookie INTEGER NOT NULL,
            base INTEGER NOT NULL, base_node BLOB,
            dirty INTEGER NOT NULL, change INTEGER NOT NULL,
            PRIMARY KEY (parent, name)
        ) WITHOUT ROWID;
        CREATE INDEX entries_cookie ON entries (parent, cookie);
        CREATE INDEX entries_child ON entries (child) WHERE child IS NOT NULL;
        CREATE INDEX entries_dirty ON entries (change) WHERE dirty = 1;
        CREATE INDEX entries_base_node ON entries (base_node) WHERE dirty = 1 AND base_node IS NOT NULL;

        CREATE TABLE content (
            node INTEGER NOT NULL, start INTEGER NOT NULL, length INTEGER NOT NULL,
            block INTEGER, segment INTEGER, place INTEGER NOT NULL, epoch INTEGER NOT NULL,
            PRIMARY KEY (node, start)
        ) WITHOUT ROWID;
        CREATE INDEX content_staging ON content (segment) WHERE block IS NULL;
        CREATE TABLE dirty_stretches (
            node INTEGER NOT NULL, stretch INTEGER NOT NULL, base BLOB, PRIMARY KEY (node, stretch)
        ) WITHOUT ROWID;

        CREATE TABLE blocks (
            number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE,
            wrap BLOB NOT NULL, wrap_key BLOB NOT NULL, plain INTEGER NOT NULL, stored INTEGER NOT NULL,
            agreed INTEGER NOT NULL
        );
        CREATE TABLE cache (
            block INTEGER PRIMARY KEY, segment INTEGER NOT NULL, place INTEGER NOT NULL,
            length INTEGER NOT NULL, checksums BLOB NOT NULL
        );
        CREATE TABLE segments (number INTEGER PRIMARY KEY);

        CREATE TABLE staged_pages (number INTEGER PRIMARY KEY, body BLOB NOT NULL);
        CREATE TABLE deferred (id BLOB PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
        CREATE TABLE commits (id BLOB PRIMARY KEY, body BLOB NOT NULL, covered BLOB NOT NULL, epoch INTEGER NOT NULL) WITHOUT ROWID;
        """

    /// Extended attributes that stay on this device.
    private static let version2 = "CREATE TABLE local_attributes (node INTEGER PRIMARY KEY, body BLOB NOT NULL);"

    private static let version3 = """
        CREATE TABLE conflicts (
            parent INTEGER NOT NULL, kept_as BLOB NOT NULL, name BLOB NOT NULL, copy INTEGER NOT NULL, at INTEGER NOT NULL,
            PRIMARY KEY (parent, kept_as)
        ) WITHOUT ROWID;
        """

    /// The id of the block that a block is encoded against.
    private static let version4 = "ALTER TABLE blocks ADD COLUMN base BLOB;"

    /// Bit 32 of `nodes.flags`: here only, by a rule. `entries.dirty`: 2 for a name that a rule keeps here, 3 for one in a
    /// directory that is here only (`LocalStore+LocalOnly`). `ignore_files`: the rules as they were read last, by directory;
    /// `version` tells contents apart. `ignore_reviews`: nodes whose names are to be held against the rules again; 0: all.
    private static let version5 = """
        CREATE TABLE ignore_files (
            directory INTEGER PRIMARY KEY, node INTEGER NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL
        );
        CREATE TABLE ignore_reviews (node INTEGER PRIMARY KEY);
        DROP INDEX nodes_dirty;
        CREATE INDEX nodes_dirty ON nodes (change) WHERE flags & 3 != 0 AND flags & 32 = 0;
        CREATE INDEX nodes_local_only ON nodes (allocated) WHERE flags & 32 != 0;
        CREATE INDEX entries_local_only ON entries (change) WHERE dirty = 2;
        """

    /// What is always here: nodes by their ids, and the blocks of what lies below them, which are not evicted.
    private static let pins = """
        CREATE TABLE pins (node BLOB PRIMARY KEY, path BLOB NOT NULL, since INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE pinned_blocks (block INTEGER PRIMARY KEY);
        """

    /// Nodes without a name, those of the server's by their birth; and what else the mass-change guard counts: files of
    /// the server's with dirty content. Kinds are stored by number; 0 is a file.
    private static let nameless = """
        DROP INDEX nodes_orphan;
        CREATE INDEX nodes_dead ON nodes (number) WHERE flags & 16 != 0 AND seq = 0;
        CREATE INDEX nodes_nameless ON nodes (birth) WHERE flags & 16 != 0 AND seq != 0;
        CREATE INDEX nodes_rewritten ON nodes (birth)
            WHERE flags & 2 != 0 AND flags & 48 = 0 AND seq != 0 AND kind = 0;
        """

    /// `listings`: how far the listing of a directory has come: `through` is the last name known, `next` where it goes on.
    private static let listings = """
        CREATE INDEX nodes_partial ON nodes (number) WHERE flags & 64 != 0;
        CREATE INDEX nodes_stale ON nodes (number) WHERE flags & 128 != 0;
        CREATE TABLE listings (node INTEGER PRIMARY KEY, through BLOB NOT NULL, next BLOB NOT NULL);
        """

    /// `histories`: cursors of the past, by the newest commit that each knows. `lost_contents`: contents that were agreed and
    /// that the server has lost, until they are agreed again: `extents` is what they were at the counter `change`.
    private static let histories = """
        CREATE TABLE histories (known INTEGER PRIMARY KEY, cursor BLOB NOT NULL);
        CREATE TABLE lost_contents (node INTEGER PRIMARY KEY, change INTEGER NOT NULL, extents BLOB NOT NULL);
        """

    /// `merges`: what became, or is to become, of conflicts of two files (`KeptMerge`); `merged` is the file that has the
    /// text. Kinds are stored by number; 1 is a directory.
    private static let merges = """
        CREATE TABLE merges (
            parent INTEGER NOT NULL, kept_as BLOB NOT NULL, theirs BLOB NOT NULL, base BLOB, base_attributes BLOB,
            state TEXT NOT NULL, merged INTEGER, ours INTEGER, PRIMARY KEY (parent, kept_as)
        ) WITHOUT ROWID;
        CREATE INDEX nodes_with_attributes ON nodes (number) WHERE kind = 1 AND xattrs IS NOT NULL;
        """

    /// The counter `change` when the name was taken from `base_node` here.
    private static let parted = "ALTER TABLE entries ADD COLUMN parted INTEGER;"

    /// In which order they were saved.
    private static let commitOrder = "ALTER TABLE commits ADD COLUMN place INTEGER NOT NULL DEFAULT 0;"

    /// A name of which it may not be known what the server has there. Part of an index: another one needs a migration.
    static let isBlindName = "dirty = 1 AND base <= 0 AND child IS NOT NULL"

    private static let blindNames = "CREATE INDEX entries_blind ON entries (parent) WHERE \(isBlindName);"

    /// See `LostName`; `parents` are ids one behind the other.
    private static let lostNames = """
        CREATE TABLE lost_names (
            node INTEGER PRIMARY KEY, name BLOB NOT NULL, parents BLOB NOT NULL, content_change INTEGER NOT NULL
        );
        """
}
