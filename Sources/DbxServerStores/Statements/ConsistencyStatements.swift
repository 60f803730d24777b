/// What must never be found: each counts rows that contradict others. In the shared dialect.
package enum ConsistencyStatements: String, SQLStatements {
    case entriesWithoutNode = """
        SELECT count(*) FROM entries WHERE node_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM nodes
            WHERE nodes.namespace_id = entries.namespace_id AND nodes.id = entries.node_id AND nodes.deleted = 0)
        """
    case entriesWithoutDirectory = """
        SELECT count(*) FROM entries WHERE node_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM nodes
            WHERE nodes.namespace_id = entries.namespace_id AND nodes.id = entries.parent_id AND nodes.deleted = 0
                AND nodes.kind = 'directory')
        """
    case nodesWithWrongLinks = """
        SELECT count(*) FROM nodes WHERE deleted = 0 AND links <> (SELECT count(*) FROM entries
            WHERE entries.namespace_id = nodes.namespace_id AND entries.node_id = nodes.id)
        """
    case directoriesWithSeveralNames = """
        SELECT count(*) FROM nodes WHERE deleted = 0 AND kind = 'directory' AND (SELECT count(*) FROM entries
            WHERE entries.namespace_id = nodes.namespace_id AND entries.node_id = nodes.id) > 1
        """
    case nodesOutOfReach = """
        WITH RECURSIVE reached(namespace_id, id) AS (SELECT id, root_node_id FROM namespaces
            UNION SELECT entries.namespace_id, entries.node_id FROM reached JOIN entries
                ON entries.namespace_id = reached.namespace_id AND entries.parent_id = reached.id
                WHERE entries.node_id IS NOT NULL)
        SELECT count(*) FROM (SELECT namespace_id, id FROM nodes WHERE deleted = 0
            EXCEPT SELECT namespace_id, id FROM reached) AS lost
        """
    case treesWithoutRoot = """
        SELECT count(*) FROM namespaces WHERE NOT EXISTS (SELECT 1 FROM nodes WHERE nodes.namespace_id = namespaces.id
            AND nodes.id = namespaces.root_node_id AND nodes.deleted = 0 AND nodes.kind = 'directory')
        """
    case nodesWithoutHome = """
        SELECT count(*) FROM nodes WHERE NOT EXISTS (SELECT 1 FROM node_homes
            WHERE node_homes.node_id = nodes.id AND node_homes.namespace_id = nodes.namespace_id)
        """
    case contentsOfNothing = """
        SELECT count(*) FROM segments WHERE to_seq IS NULL AND NOT EXISTS (SELECT 1 FROM nodes
            WHERE nodes.namespace_id = segments.namespace_id AND nodes.id = segments.node_id AND nodes.deleted = 0
                AND nodes.kind = 'file')
        """
    case headsBesideTheJournal = """
        SELECT count(*) FROM namespaces WHERE head_seq <> (SELECT COALESCE(max(seq), 0) FROM commits
            WHERE commits.namespace_id = namespaces.id)
        """
    case rowsBeyondTheJournal = """
        SELECT count(*) FROM namespaces WHERE EXISTS (SELECT 1 FROM nodes
                WHERE nodes.namespace_id = namespaces.id AND nodes.seq > namespaces.head_seq)
            OR EXISTS (SELECT 1 FROM entries
                WHERE entries.namespace_id = namespaces.id AND entries.seq > namespaces.head_seq)
            OR EXISTS (SELECT 1 FROM segments
                WHERE segments.namespace_id = namespaces.id AND segments.from_seq > namespaces.head_seq)
            OR EXISTS (SELECT 1 FROM namespace_blocks
                WHERE namespace_blocks.namespace_id = namespaces.id AND namespace_blocks.seq > namespaces.head_seq)
        """
    case gapsInTheJournal = """
        SELECT count(*) FROM commits AS later WHERE NOT EXISTS (SELECT 1 FROM commits
                WHERE commits.namespace_id = later.namespace_id AND commits.seq = later.seq - 1)
            AND EXISTS (SELECT 1 FROM commits
                WHERE commits.namespace_id = later.namespace_id AND commits.seq < later.seq)
        """
    case referencesToUnknownBlocks = """
        SELECT count(*) FROM segment_blocks WHERE NOT EXISTS (SELECT 1 FROM namespace_blocks
            WHERE namespace_blocks.namespace_id = segment_blocks.namespace_id
                AND namespace_blocks.block_id = segment_blocks.block_id)
        """
    case committedBlocksNotLive = """
        SELECT count(*) FROM namespace_blocks WHERE NOT EXISTS (SELECT 1 FROM blocks
            WHERE blocks.id = namespace_blocks.block_id AND blocks.state IN ('live', 'lost'))
        """
    case receiptsWithoutBlock = """
        SELECT count(*) FROM uploads WHERE state = 'stored' AND NOT EXISTS (SELECT 1 FROM blocks
            WHERE blocks.id = uploads.block_id AND blocks.state IN ('stored', 'live'))
        """
    case wrongUsage = """
        SELECT count(*) FROM namespaces WHERE used_bytes <> (SELECT COALESCE(sum(allocated_bytes), 0) FROM nodes
                WHERE nodes.namespace_id = namespaces.id AND nodes.deleted = 0)
            OR pinned_bytes <> (SELECT COALESCE(sum(stored_bytes), 0) FROM uploads
                WHERE uploads.namespace_id = namespaces.id)
        """

    /// For people: what there are so many of.
    package var description: String {
        switch self {
        case .entriesWithoutNode: "names that lead to no node"
        case .entriesWithoutDirectory: "names that lie in no directory"
        case .nodesWithWrongLinks: "nodes with another number of names than they say"
        case .directoriesWithSeveralNames: "directories with several names"
        case .nodesOutOfReach: "files and directories that no way leads to from the root of their tree"
        case .treesWithoutRoot: "trees without their root directory"
        case .nodesWithoutHome: "nodes whose id is not known as their tree's"
        case .contentsOfNothing: "contents of files that are not there"
        case .headsBesideTheJournal: "trees whose journal ends at another place than they say"
        case .rowsBeyondTheJournal: "trees with rows newer than their journal"
        case .gapsInTheJournal: "gaps in journals"
        case .referencesToUnknownBlocks: "contents that name a block which their tree does not have"
        case .committedBlocksNotLive: "committed blocks that are not known as stored"
        case .receiptsWithoutBlock: "receipts for blocks that are not known as stored"
        case .wrongUsage: "accounts with another usage than their files have"
        }
    }
}
