import DbxLocalStore
import DbxModel
import DbxSync
import DbxTestKit
import Foundation

/// Runs the words of docs/SYNC.md on a device, as the file system would carry them out.
package struct ScriptedProgram {
    package let device: TestDevice
    private var store: LocalStore { device.store }

    package init(device: TestDevice) { self.device = device }

    package func run(_ script: String) throws {
        for step in script.split(separator: ";") {
            let words = step.split(separator: " ").map(String.init)
            try run(words[0], Array(words.dropFirst()))
        }
    }

    private func run(_ action: String, _ words: [String]) throws {
        switch action {
        case "nothing": break
        case "later": device.time.advance(by: .seconds(60))
        case "edit": try edit(words[0], words.count > 1 ? words[1] : device.name)
        case "restore": try edit(words[0], "old")
        case "save": try save(words[0], words.count > 1 ? words[1] : device.name)
        case "cut":
            let file = try node(words[0])
            try store.truncate(file.number, to: file.size, now: device.moment())
        case "make": _ = try make(words[0], words.count > 1 ? words[1] : device.name)
        case "mkdir": _ = try create(words[0], NewNode(kind: .directory, mode: 0o755))
        case "symlink": _ = try create(words[0], NewNode(kind: .symlink, mode: 0o777, target: Array("target".utf8)))
        case "delete": try delete(words[0])
        case "rmtree": try removeTree(words[0])
        case "move": try move(words[0], words[1])
        case "link":
            let (parent, name) = try place(words[1])
            _ = try store.link(try node(words[0]).number, in: parent, name, now: device.moment())
        case "mode": try set(words[0], AttributeUpdate(mode: UInt16(words[1], radix: 8)))
        case "xattr":
            let known = try node(words[0]).attributes.extendedAttributes
            let new = ExtendedAttribute(name: Array("user.\(device.name)".utf8), value: [1])
            try set(words[0], AttributeUpdate(extendedAttributes: known + [new]))
        default: throw KitError("there is no action “\(action)”")
        }
    }

    // MARK: Actions

    private func place(_ path: String) throws -> (InodeNumber, Name) {
        let parts = path.split(separator: "/").map(String.init)
        let above = Array(parts.dropLast().joined(separator: "/").utf8)
        guard let parent = try TreePath.node(at: above, in: store), let name = Name(parts[parts.count - 1]) else {
            throw KitError("there is no place \(path)")
        }
        return (parent.number, name)
    }

    package func node(_ path: String) throws -> LocalNode {
        guard let node = try TreePath.node(at: Array(path.utf8), in: store) else {
            throw KitError("there is nothing at \(path)")
        }
        return node
    }

    private func create(_ path: String, _ new: NewNode) throws -> LocalNode {
        let (parent, name) = try place(path)
        return try store.create(new, in: parent, name, now: device.moment())
    }

    private func make(_ path: String, _ content: String) throws -> LocalNode {
        let node = try create(path, NewNode(kind: .file, mode: 0o644))
        try write(node.number, content)
        return node
    }

    private func write(_ file: InodeNumber, _ content: String) throws {
        let bytes = Array(content.utf8)
        let range = try store.reserveStaging(file, offset: 0, length: Int64(bytes.count))
        try store.segments.write(bytes, at: range.location)
        _ = try store.recordWrite(file, offset: 0, length: Int64(bytes.count), range: range, now: device.moment())
    }

    private func edit(_ path: String, _ content: String) throws {
        let file = try node(path).number
        _ = try store.truncate(file, to: 0, now: device.moment())
        try write(file, content)
    }

    private func save(_ path: String, _ content: String) throws {
        _ = try make(path + ".tmp", content)
        try move(path + ".tmp", path)
    }

    private func delete(_ path: String) throws {
        let (parent, name) = try place(path)
        let left = try store.unlink(parent, name, now: device.moment())
        if left.isOrphan { try store.removeOrphan(left.number) }
    }

    private func removeTree(_ path: String) throws {
        for entry in try store.list(try node(path).number, after: 0, limit: .max) {
            let below = path + "/" + entry.name.display
            if entry.kind == .directory { try removeTree(below) } else { try delete(below) }
        }
        try delete(path)
    }

    private func move(_ path: String, _ target: String) throws {
        let (from, to) = (try place(path), try place(target))
        let gone = try store.rename(from: from.0, from.1, to: to.0, to.1, mode: .replace, now: device.moment())
        if let gone, gone.isOrphan { try store.removeOrphan(gone.number) }
    }

    private func set(_ path: String, _ update: AttributeUpdate) throws {
        _ = try store.setAttributes(try node(path).number, update, now: device.moment())
    }

    // MARK: What it shows

    /// By path, in the words of the tables.
    package func tree() throws -> [String: String] {
        var result: [String: String] = [:]
        try walk(.root, "", into: &result)
        return result
    }

    private func walk(_ directory: InodeNumber, _ above: String, into result: inout [String: String]) throws {
        for entry in try store.list(directory, after: 0, limit: .max) {
            guard let node = try store.node(entry.number) else {
                throw KitError("\(above)\(entry.name.display) leads nowhere")
            }
            let path = above + Self.shown(entry.name.display)
            switch node.kind {
            case .directory:
                result[path + "/"] = ""
                try walk(node.number, path + "/", into: &result)
            case .symlink: result[path] = "->" + String(decoding: node.target ?? [], as: UTF8.self)
            default:
                let names = node.attributes.extendedAttributes.map {
                    "+" + String(decoding: $0.name.dropFirst(5), as: UTF8.self)
                }
                let mode = node.attributes.mode == 0o644 ? "" : ":" + String(node.attributes.mode, radix: 8)
                let content = String(decoding: try device.read(node), as: UTF8.self)
                result[path] = "=\(content)\(mode)\(names.joined())"
            }
        }
    }

    private static func shown(_ name: String) -> String {
        guard let mark = name.range(of: " (conflicted copy from ") else { return name }
        return String(name[..<mark.lowerBound]) + "~"
    }
}
