package import DbxModel
package import DbxSync
package import DbxWire

/// What `dbxfs status PATH` shows of one file or folder. A value. Fields are added, never renamed: scripts read them.
package struct PathStatus: Hashable, Sendable, Codable {
    /// From the mounted directory, for display; empty for that itself.
    package var path: String
    /// Where it is no UTF-8.
    package var path64: Base64?
    package var kind: NodeKind
    package var state: NodeState
    /// A rule keeps it on this computer.
    package var isIgnored = false
    /// It is always here, by itself or with a folder above it.
    package var isPinned = false
    package var size: Int64 = 0
    /// Of a file: bytes of its content that are here.
    package var cachedBytes: Int64 = 0
    /// Bytes that only are here, of a folder with all below it.
    package var pendingBytes: Int64 = 0
    /// Of a folder: how many files, folders and names in it the server lacks.
    package var pendingCount = 0
    /// The first of those.
    package var items: [PathItem] = []
    /// Of a folder: names below it that differ only by case or Unicode form, in groups.
    package var collisions: [[String]] = []
    /// Why the server refuses it, and what to do.
    package var reason: String?
    package var remedy: String?

    package var stateName: String { state.rawValue }

    init(path: [UInt8], kind: NodeKind, state: NodeState) {
        let text = String(validating: path, as: UTF8.self)
        self.path = text ?? String(decoding: path, as: UTF8.self)
        path64 = text == nil ? Base64(path) : nil
        self.kind = kind
        self.state = state
    }
}

/// Something in a folder that the server lacks.
package struct PathItem: Hashable, Sendable, Codable {
    package var path: String
    package var path64: Base64?
    /// Nil: it is gone here and the server still has it.
    package var state: NodeState?

    package var stateName: String { state?.rawValue ?? "deleted" }

    init(path: [UInt8], state: NodeState?) {
        let text = String(validating: path, as: UTF8.self)
        self.path = text ?? String(decoding: path, as: UTF8.self)
        path64 = text == nil ? Base64(path) : nil
        self.state = state
    }
}
