import DbxLocalStore
import DbxModel
import DbxSyncKit

/// What a device shows in a case's directory, by path.
struct TreeImage: Equatable {
    struct Item: Equatable {
        var id: NodeID
        var parent: NodeID
        var kind: NodeKind
        var mode: UInt16
        /// Of a file.
        var content: [UInt8]
    }

    private(set) var items: [String: Item] = [:]

    init(of plan: CasePlan, on device: TestDevice) throws {
        guard let root = try device.store.lookup(.root, Name(plan.name)!) else {
            throw Violation("gone", "\(device.name) has no \(plan.name)", of: plan.number)
        }
        try walk(root, "", device)
    }

    private mutating func walk(_ directory: LocalNode, _ above: String, _ device: TestDevice) throws {
        for entry in try device.store.list(directory.number, after: 0, limit: .max) {
            guard let node = try device.store.node(entry.number) else {
                throw KitError("\(device.name): \(above)\(entry.name.display) leads nowhere")
            }
            let isFile = node.kind == .file
            items[above + entry.name.display] = Item(
                id: node.id, parent: directory.id, kind: node.kind, mode: node.attributes.mode,
                content: isFile ? try device.read(node) : [])
            if node.kind == .directory { try walk(node, above + entry.name.display + "/", device) }
        }
    }

    /// Each file once, whatever its names.
    var files: [NodeID: [UInt8]] {
        Dictionary(
            items.values.lazy.filter { $0.kind == .file }.map { ($0.id, $0.content) }, uniquingKeysWith: { a, _ in a })
    }

    /// Where each node is.
    var names: [NodeID: Set<Place>] {
        Dictionary(
            items.map { path, item in
                (item.id, [Place(parent: item.parent, name: String(path.split(separator: "/").last ?? ""))])
            }, uniquingKeysWith: { $0.union($1) })
    }

    struct Place: Hashable {
        var parent: NodeID
        var name: String
    }

    var directories: Set<NodeID> { Set(items.values.lazy.filter { $0.kind == .directory }.map(\.id)) }
    var contents: Set<[UInt8]> { Set(files.values) }

    var hasConflict: Bool { items.keys.contains { $0.contains(Self.mark) } }
    /// In the name of what was kept twice.
    static let mark = "(conflicted copy"

    /// What has to be done to get from `other` to this, for a person to read.
    func changes(since other: TreeImage) -> [String] {
        let paths = Set(items.keys).union(other.items.keys).sorted()
        return paths.compactMap { path in
            guard items[path] != other.items[path] else { return nil }
            return items[path].map { "\(path) \(Self.text($0))" } ?? "-\(path)"
        }
    }

    private static func text(_ item: Item) -> String {
        let id = "\(item.id)".suffix(4)
        let mode = String(item.mode, radix: 8)
        guard item.kind == .file else { return "/ (\(mode), \(id))" }
        return "= “\(text(item.content))” (\(mode), \(id))"
    }

    static func text(_ content: [UInt8]) -> String {
        String(decoding: content, as: UTF8.self).replacing("\0", with: "·")
    }
}
