package import DbxModel

/// What an answered commit said of a node.
package struct SentNode {
    package var id: NodeID
    /// `LocalNode.change` then.
    package var change: Int64
    /// Nil where that part was not sent.
    package var attributes: NodeAttributes?
    package var content: Content?

    package struct Content {
        /// `LocalNode.contentChange` then.
        package var change: Int64
        /// Nil: nothing had to go up.
        package var snapshot: UploadSnapshot?
        /// The snapshot's changed stretches as the server has them.
        package var stretches: [(index: Int64, extents: [Extent])]

        package init(
            change: Int64, snapshot: UploadSnapshot?, stretches: [(index: Int64, extents: [Extent])]
        ) {
            self.change = change
            self.snapshot = snapshot
            self.stretches = stretches
        }
    }

    package init(id: NodeID, change: Int64, attributes: NodeAttributes?, content: Content?) {
        self.id = id
        self.change = change
        self.attributes = attributes
        self.content = content
    }
}

/// What was sent is agreed, as far as nothing changed since. A commit has thousands of rows: few statements for each.
extension LocalStore {
    /// The commit that said this of the node stands at `seq`.
    package func settle(_ sent: SentNode, at seq: Seq) throws(StoreError) {
        try transaction {
            guard var node = try node(sent.id) else { return }
            if let content = sent.content, let snapshot = content.snapshot, snapshot.number == node.number {
                try replaceUploaded(&node, snapshot, content.stretches)
            }
            // An earlier commit of somebody else may not have been seen yet: the row's own seq moves only when pulled.
            if node.isNew {
                node.seq = seq
                try becomeAgreed(&node)
            }
            if let attributes = sent.attributes { settleAttributes(&node, attributes, sent.change, seq) }
            if let content = sent.content { try settleContent(&node, content.change, seq) }
            if !node.isDirty {
                node.dirtySince = nil
            } else if !(node.attributesDirty && sent.attributes == nil) && !(node.contentDirty && sent.content == nil) {
                // All of it was sent; what is dirty now came later.
                node.dirtySince = time.now()
            }
            try save(node)
        }
    }

    private func settleAttributes(_ node: inout LocalNode, _ sent: NodeAttributes, _ change: Int64, _ seq: Seq) {
        node.attributesSeq = seq
        let isUnchanged = node.change == change
        if isUnchanged { node.attributesDirty = false }
        node.baseAttributes = isUnchanged ? nil : node.attributesDirty ? sent : node.baseAttributes
    }

    private func settleContent(_ node: inout LocalNode, _ change: Int64, _ seq: Seq) throws {
        // A content of ours stays the one that it was when it was sent.
        if node.contentDirty { node.contentSeq = seq } else { take(contentSeq: seq, of: &node) }
        guard node.contentChange == change else { return }
        node.contentDirty = false
        try forgetDirtyStretches(of: node.number)
    }

    /// Staging extents of the snapshot that still stand become extents of blocks, which must be known. What was written
    /// meanwhile stays staging. A file that has lost its last name meanwhile had gone back to what was agreed before: this
    /// is agreed now.
    private func replaceUploaded(
        _ node: inout LocalNode, _ snapshot: UploadSnapshot, _ uploaded: [(index: Int64, extents: [Extent])]
    ) throws {
        let wasReverted = !node.contentDirty
        for (index, extents) in uploaded {
            let key = StretchKey(node: node.number, index: index)
            let blocks = try extents.map { extent -> LocalExtent in
                guard let block = try blockNumber(extent.block) else { throw StoreError.corrupt("unknown block") }
                return LocalExtent(
                    offset: extent.offset, length: extent.length, source: .block(block, offset: extent.blockOffset))
            }
            for part in try wasReverted ? [key.range] : stillStanding(snapshot, in: key) {
                try replace(&node, key, part, blocks.slice(part))
            }
            try settleStretch(key, node: node, snapshot: snapshot, agreed: blocks)
        }
        guard wasReverted else { return }
        try cut(&node, to: snapshot.size)
        node.size = snapshot.size
    }

    /// The commit that gave the name to `sent` (nil: took it away) stands at `seq`; `change` is the name's counter when it
    /// was sent. A name that has changed since, or that waits for its new file's content, stays a change.
    package func settle(
        _ name: Name, in parent: NodeID, sent: NodeID?, change: Int64, at seq: Seq
    ) throws(StoreError) {
        try transaction {
            guard let directory = try node(parent) else { return }
            let key = [directory.number.sqlValue, name.bytes.sqlValue, change.sqlValue]
            if let child = try sent.flatMap({ try node($0) }) {
                try execute(
                    """
                    UPDATE entries SET base = ?4, base_node = NULL, dirty = 0, parted = NULL
                    WHERE parent = ?1 AND name = ?2 AND change = ?3 AND dirty = 1 AND child = ?5
                    """, key + [seq.value.sqlValue, child.number.sqlValue])
                if database.changedRows > 0 { return }
            }
            try rebaseEntry(parent: parent, name: name, base: seq, baseNode: sent)
            guard try entry(parent: parent, name: name)?.node == sent else { return }
            try execute("DELETE FROM entries WHERE parent = ? AND name = ? AND change = ? AND child IS NULL", key)
            try execute(
                "UPDATE entries SET dirty = 0, base_node = NULL WHERE parent = ? AND name = ? AND change = ?", key)
        }
    }
}
