import DbxModel
import DbxServerStores

/// Names files for people: account and path.
struct FilePaths {
    let rows: any MetadataTransaction

    /// Of the files whose current content needs a block that is lost.
    func ofLostBlocks() throws -> [String] {
        var found: [String] = []
        for block in try rows.lostBlocks() {
            let location = try BlockLocation(of: block, rows)
            for file in try rows.files(with: block.id) {
                found.append(try path(of: file.node, in: file.namespace) + " needs block \(block.key)\(location.words)")
            }
        }
        return found
    }

    private func path(of node: NodeID, in namespace: NamespaceID) throws -> String {
        let record = try rows.namespace(namespace)
        let owner = try record.flatMap { try rows.user($0.owner)?.name } ?? namespace.hex
        var (names, current): ([String], NodeID) = ([], node)
        // A path longer than any that a client can open is a ring.
        while current != record?.rootNode, names.count < 4_096 {
            guard let entry = try rows.entries(of: current, in: namespace).first else { break }
            names.append(entry.name.display)
            current = entry.parent
        }
        return owner + ":/" + names.reversed().joined(separator: "/")
    }
}
