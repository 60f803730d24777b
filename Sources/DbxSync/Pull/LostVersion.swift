package import DbxLocalStore
package import DbxModel
import DbxWire

/// A version of a file that the server has lost, when its data were put back to an older state, and that cannot be sent
/// from here again: not all of it is here. Another computer may have it.
package struct LostVersion: Hashable, Sendable, Codable {
    /// From the mounted directory, for display.
    package var path: String
    package var at: Timestamp
    /// The `contentSeq` of the version that the server has; nil: it has none.
    package var older: Seq?

    package var text: String {
        older == nil
            ? "The server has lost “\(path)”, and its content is not on this computer"
            : "The server has lost the newest version of “\(path)”, and that is not on this computer"
    }

    /// Those that nobody has sent again. With the store's lock held.
    package static func all(in store: LocalStore) throws -> [LostVersion] {
        guard let bytes = try store.meta(SyncMeta.losses) else { return [] }
        return try WireJSON.decode([LostVersion].self, from: bytes).filter { try !$0.cameBack(in: store) }
    }

    private static let mostKept = 1_000

    static func keep(_ new: [LostVersion], in store: LocalStore) throws {
        guard !new.isEmpty else { return }
        try store.setMeta(SyncMeta.losses, WireJSON.encode(Array((all(in: store) + new).suffix(mostKept))))
    }

    private func cameBack(in store: LocalStore) throws -> Bool {
        guard let node = try TreePath.node(at: Array(path.utf8), in: store) else { return false }
        return older.map { node.contentSeq > $0 } ?? true
    }
}
