package import DbxModel

/// Extended attributes that stay on this device and make nothing dirty.
extension LocalStore {
    package func localAttributes() throws(StoreError) -> [InodeNumber: [ExtendedAttribute]] {
        do {
            let rows = try query("SELECT node, body FROM local_attributes") { row in
                (InodeNumber(row[0]), try AttributesCodec.decodeExtended(row.bytes(1)))
            }
            return Dictionary(rows) { first, _ in first }
        } catch {
            throw Self.storeError(error)
        }
    }

    /// All that the node has from now on; none forgets it.
    package func setLocalAttributes(_ number: InodeNumber, _ attributes: [ExtendedAttribute]) throws(StoreError) {
        try transaction {
            if attributes.isEmpty {
                try execute("DELETE FROM local_attributes WHERE node = ?", [number.sqlValue])
            } else {
                try execute(
                    "INSERT OR REPLACE INTO local_attributes (node, body) VALUES (?, ?)",
                    [number.sqlValue, AttributesCodec.encode(attributes).sqlValue])
            }
        }
    }

    /// Numbers are never used again, so that what belongs to nodes that are gone can wait until the next start.
    func sweepLocalAttributes() throws {
        try transaction {
            try execute("DELETE FROM local_attributes WHERE node NOT IN (SELECT number FROM nodes)")
        }
    }
}
