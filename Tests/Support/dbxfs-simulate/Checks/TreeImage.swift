import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxTestKit

/// All that a device shows, in words that compare.
struct TreeImage {
    private(set) var nodes: [String: String] = [:]
    private(set) var contents: Set<Ledger.Content> = []
    private var firstNames: [InodeNumber: String] = [:]

    var paths: [String] { nodes.keys.sorted() }

    init(of device: Device) throws {
        guard let life = device.life else { throw Violation("\(device.name) is down") }
        do {
            // Counts of links are right when all is known.
            try explore(.root, life.fileSystem)
            try walk(.root, "", life.fileSystem)
        } catch {
            throw Violation("\(device.name) cannot show its tree: \(error)")
        }
    }

    func differences(from other: TreeImage) -> [String] {
        Set(nodes.keys).union(other.nodes.keys).sorted().filter { nodes[$0] != other.nodes[$0] }.map {
            "\($0): here \(nodes[$0] ?? "-"), there \(other.nodes[$0] ?? "-")"
        }
    }

    private func explore(_ directory: InodeNumber, _ fileSystem: FileSystem) throws {
        for item in try DirectoryReader(fileSystem).items(of: directory) where item.kind == .directory {
            try explore(item.number, fileSystem)
        }
    }

    private mutating func walk(_ directory: InodeNumber, _ path: String, _ fileSystem: FileSystem) throws {
        let items = try DirectoryReader(fileSystem).items(of: directory)
            .sorted { $0.name.lexicographicallyPrecedes($1.name) }
        for item in items {
            guard let attributes = item.attributes else { continue }
            let place = path + "/" + String(decoding: item.name, as: UTF8.self)
            nodes[place] = try describe(attributes, at: place, fileSystem)
            if attributes.kind == .directory { try walk(attributes.number, place, fileSystem) }
        }
    }

    private mutating func describe(
        _ attributes: FileAttributes, at place: String, _ fileSystem: FileSystem
    ) throws -> String {
        var words = ["\(attributes.kind)", String(attributes.permissions, radix: 8), "links \(attributes.links)"]
        let first = firstNames[attributes.number]
        firstNames[attributes.number] = first ?? place
        if let first { words.append("is \(first)") }
        if attributes.kind != .directory { words.append("\(attributes.modificationTime)") }
        words.append(
            String(
                decoding: try fileSystem.extendedAttributeNames(of: attributes.number, by: Program.caller),
                as: UTF8.self))
        switch attributes.kind {
        case .file:
            let bytes = try FileReader(fileSystem).read(attributes.number)
            guard bytes.count == attributes.size else {
                throw Violation("\(place) has \(bytes.count) bytes of \(attributes.size)")
            }
            if let content = Ledger.content(of: bytes) {
                contents.insert(content)
                words.append("\(bytes.count) bytes \(content) \(String(decoding: bytes.prefix(20), as: UTF8.self))")
            }
        case .symlink: words.append(String(decoding: try fileSystem.readLink(attributes.number), as: UTF8.self))
        default: break
        }
        return words.joined(separator: " ").replacing("\n", with: " ").replacing("\0", with: " ")
    }
}
