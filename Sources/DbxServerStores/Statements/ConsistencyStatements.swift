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
        SELECT count(*) FROM nodes WHERE deleted = 0 AND kind <> 'directory' AND links <> (SELECT count(*) FROM entries
            WHERE entries.namespace_id = nodes.namespace_id AND entries.node_id = nodes.id)
        """
    case rowsBeyondTheJournal = """
        SELECT count(*) FROM namespaces WHERE EXISTS (SELECT 1 FROM nodes
                WHERE nodes.namespace_id = namespaces.id AND nodes.seq > namespaces.head_seq)
            OR EXISTS (SELECT 1 FROM entries
                WHERE entries.namespace_id = namespaces.id AND entries.seq > namespaces.head_seq)
            OR EXISTS (SELECT 1 FROM commits
                WHERE commits.namespace_id = namespaces.id AND commits.seq > namespaces.head_seq)
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
            WHERE blocks.id = namespace_blocks.block_id AND blocks.state = 'live')
        """
    case receiptsWithoutBlock = """
        SELECT count(*) FROM uploads WHERE state = 'stored' AND NOT EXISTS (SELECT 1 FROM blocks
            WHERE blocks.id = uploads.block_id AND blocks.state <> 'granted')
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
        case .rowsBeyondTheJournal: "trees with rows newer than their journal"
        case .gapsInTheJournal: "gaps in journals"
        case .referencesToUnknownBlocks: "contents that name a block which their tree does not have"
        case .committedBlocksNotLive: "committed blocks that are not known as stored"
        case .receiptsWithoutBlock: "receipts for blocks that are not known as stored"
        case .wrongUsage: "accounts with another usage than their files have"
        }
    }
}
