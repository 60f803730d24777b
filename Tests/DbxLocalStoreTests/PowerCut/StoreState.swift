import DbxLocalStore
import DbxModel
import DbxSystem

/// Everything that a store would tell anybody, for comparing one with what it was.
struct StoreState: Hashable {
    struct File: Hashable {
        var node: LocalNode
        /// Of the whole content.
        var checksum: UInt32
    }

    private(set) var files: [String: File] = [:]
    private var dirtyNodes: [LocalNode]
    private var dirtyEntries: [LocalEntry]
    private var pending: PendingSummary
    private var commit: [UInt8]?
    private var note: [UInt8]?

    static let noteKey = "test.note"

    init(_ store: LocalStore) throws {
        dirtyNodes = try store.dirtyNodes(limit: .max, afterChange: 0).filter { !$0.isOrphan }
        dirtyEntries = try store.dirtyEntries(limit: .max, afterChange: 0)
        pending = try store.pendingSummary()
        // Those of files that only a program had open are gone after a restart.
        pending.bytes = 0
        commit = try store.commitInFlight()?.body
        note = try store.meta(Self.noteKey)
        if let root = try store.node(.root) { try add("", root, of: store) }
    }

    private mutating func add(_ path: String, _ node: LocalNode, of store: LocalStore) throws {
        let checksum = node.kind == .file ? CRC32C.checksum(try Self.content(of: node, in: store)) : 0
        files[path] = File(node: node, checksum: checksum)
        guard node.kind == .directory else { return }
        for entry in try store.list(node.number, after: 0, limit: .max) {
            guard let child = try store.node(entry.number) else { throw StoreError.notFound }
            try add("\(path)/\(entry.name.display)", child, of: store)
        }
    }

    private static func content(of node: LocalNode, in store: LocalStore) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(node.size))
        for extent in try store.content(node.number, 0..<max(1, node.size)) {
            let part: [UInt8] =
                switch extent.source {
                case .staging(let location, _): try store.segments.read(count: Int(extent.length), at: location)
                case .block(let block, let offset): blockBytes(block, offset..<offset + extent.length)
                }
            bytes.replaceSubrange(Int(extent.offset)..<Int(extent.end), with: part)
        }
        return bytes
    }

    /// What the tests' blocks hold.
    static func blockBytes(_ block: BlockNumber, _ range: Range<Int64>) -> [UInt8] {
        range.map { UInt8(truncatingIfNeeded: block.rawValue &* 31 &+ $0 &* 7) }
    }

    /// What is different in `other`, for people.
    func differences(from other: StoreState) -> String {
        let paths = Set(files.keys).union(other.files.keys).sorted()
        var text = paths.filter { files[$0] != other.files[$0] }.prefix(4)
            .map { "\($0): \(describe($0)) instead of \(other.describe($0))" }
        if note != other.note { text.append("note \(note ?? []) instead of \(other.note ?? [])") }
        if commit != other.commit { text.append("another commit in flight") }
        if pending != other.pending { text.append("\(pending) instead of \(other.pending)") }
        let entries = Set(dirtyEntries).symmetricDifference(other.dirtyEntries)
        if !entries.isEmpty { text.append("dirty in one of them: \(entries)") }
        return text.joined(separator: "; ")
    }

    private func describe(_ path: String) -> String {
        files[path].map { "\($0.node.size) bytes #\($0.checksum) change \($0.node.change)" } ?? "nothing"
    }
}
