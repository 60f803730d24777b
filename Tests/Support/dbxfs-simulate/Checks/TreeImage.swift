import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxTestKit

/// All that a device shows of what is to be on all of them, in words that compare.
struct TreeImage {
    private(set) var nodes: [String: String] = [:]
    private(set) var contents: Set<Ledger.Content> = []
    /// Of files that rules keep on the device.
    private(set) var localContents: Set<Ledger.Content> = []
    private var firstNames: [InodeNumber: String] = [:]
    private let countsLinks: Bool

    var paths: [String] { nodes.keys.sorted() }

    /// - Parameter countsLinks: false where names that rules keep on a device count there as well.
    init(of device: Device, countsLinks: Bool) throws {
        self.countsLinks = countsLinks
        guard let life = device.life else { throw Violation("\(device.name) is down") }
        do {
            // Counts of links are right when all is known.
            try explore(.root, life)
            try walk(.root, "", life)
        } catch {
            throw Violation("\(device.name) cannot show its tree: \(error)")
        }
    }

    func differences(from other: TreeImage) -> [String] {
        Set(nodes.keys).union(other.nodes.keys).sorted().filter { nodes[$0] != other.nodes[$0] }.map {
            "\($0): here \(nodes[$0] ?? "-"), there \(other.nodes[$0] ?? "-")"
        }
    }

    private func explore(_ directory: InodeNumber, _ life: DeviceLife) throws {
        for item in try DirectoryReader(life.fileSystem).items(of: directory) where item.kind == .directory {
            try explore(item.number, life)
        }
    }

    private mutating func walk(_ directory: InodeNumber, _ path: String, _ life: DeviceLife) throws {
        let items = try DirectoryReader(life.fileSystem).items(of: directory)
            .sorted { $0.name.lexicographicallyPrecedes($1.name) }
        for item in items {
            guard let attributes = item.attributes else { continue }
            let place = path + "/" + String(decoding: item.name, as: UTF8.self)
            if try isLocalOnly(item, in: directory, life) {
                try keep(attributes, life)
                continue
            }
            nodes[place] = try describe(attributes, at: place, life)
            if attributes.kind == .directory { try walk(attributes.number, place, life) }
        }
    }

    private func isLocalOnly(_ item: DirectoryItem, in directory: InodeNumber, _ life: DeviceLife) throws -> Bool {
        try life.shared.withStore { store throws(StoreError) in
            guard let parent = try store.node(directory), let name = Name(item.name) else { return false }
            return try store.entry(parent: parent.id, name: name)?.isLocalOnly ?? false
        }
    }

    private mutating func keep(_ attributes: FileAttributes, _ life: DeviceLife) throws {
        if attributes.kind == .file,
            let content = Ledger.content(of: try FileReader(life.fileSystem).read(attributes.number))
        {
            localContents.insert(content)
        }
        guard attributes.kind == .directory else { return }
        for item in try DirectoryReader(life.fileSystem).items(of: attributes.number) {
            if let below = item.attributes { try keep(below, life) }
        }
    }

    private mutating func describe(
        _ attributes: FileAttributes, at place: String, _ life: DeviceLife
    ) throws -> String {
        var words = ["\(attributes.kind)", String(attributes.permissions, radix: 8)]
        if countsLinks { words.append("links \(attributes.links)") }
        let first = firstNames[attributes.number]
        firstNames[attributes.number] = first ?? place
        if let first { words.append("is \(first)") }
        if attributes.kind != .directory { words.append("\(attributes.modificationTime)") }
        words.append(
            String(
                decoding: try life.fileSystem.extendedAttributeNames(of: attributes.number, by: Program.caller),
                as: UTF8.self))
        switch attributes.kind {
        case .file:
            let bytes = try FileReader(life.fileSystem).read(attributes.number)
            guard bytes.count == attributes.size else {
                throw Violation("\(place) has \(bytes.count) bytes of \(attributes.size)")
            }
            if let content = Ledger.content(of: bytes) {
                contents.insert(content)
                words.append("\(bytes.count) bytes \(content) \(String(decoding: bytes.prefix(20), as: UTF8.self))")
            }
        case .symlink: words.append(String(decoding: try life.fileSystem.readLink(attributes.number), as: UTF8.self))
        default: break
        }
        let line = words.joined(separator: " ").utf8.map { $0 == 0x0A || $0 == 0 ? 0x20 : $0 }
        return String(decoding: line, as: UTF8.self)
    }
}
