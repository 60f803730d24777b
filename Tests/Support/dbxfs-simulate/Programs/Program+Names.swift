import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSystem
import DbxTestKit

/// A name in a directory.
struct Place: CustomStringConvertible {
    var parent: InodeNumber
    var name: Name

    var description: String { "\(parent.rawValue)/\(name.display)" }
}

/// A name with what it leads to.
struct Found {
    var parent: InodeNumber
    var name: Name
    var attributes: FileAttributes

    var place: Place { Place(parent: parent, name: name) }
}

extension Program {
    // MARK: Choosing

    func children(of directory: InodeNumber) throws -> [Found] {
        try DirectoryReader(fileSystem).items(of: directory).compactMap { item in
            guard let attributes = item.attributes, let name = Name(item.name) else { return nil }
            return Found(parent: directory, name: name, attributes: attributes)
        }
    }

    private func all(below directory: InodeNumber = .root, depth: Int = 0) throws -> [Found] {
        guard depth < 12 else { return [] }
        // Not every program looks everywhere, or all would soon be known.
        if depth > 0, !fileSystem.knowsNext(in: directory, after: 2), entropy.chance(60) { return [] }
        return try children(of: directory).flatMap { child -> [Found] in
            let below =
                child.attributes.kind == .directory ? try all(below: child.attributes.number, depth: depth + 1) : []
            return [child] + below
        }
    }

    func pick(where isWanted: (FileAttributes) -> Bool = { _ in true }) throws -> Found? {
        let found = try all().filter { isWanted($0.attributes) }
        guard !found.isEmpty else { return nil }
        let one = entropy.element(of: found)
        trace.note("\(stamp) finds \(one.place) -> \(one.attributes.number.rawValue)")
        return one
    }

    private func directory() throws -> InodeNumber {
        if entropy.chance(40) { return .root }
        return try pick { $0.kind == .directory }?.attributes.number ?? .root
    }

    private func anyPlace() throws -> Place {
        let place = Place(parent: try directory(), name: Name(entropy.element(of: ["a", "b", "c", "d", "e"]))!)
        trace.note("\(stamp) chooses \(place)")
        return place
    }

    func freePlace() throws -> Place? {
        let place = try anyPlace()
        return try DirectoryReader(fileSystem).lookup(place.name, in: place.parent) == nil ? place : nil
    }

    // MARK: Making and moving

    func makeNode(_ blueprint: NodeBlueprint) throws {
        guard let place = try freePlace() else { return }
        _ = try fileSystem.make(blueprint, named: place.name, in: place.parent, by: Self.caller)
    }

    func move() throws {
        guard let found = try pick(), let place = try freePlace() else { return }
        _ = try fileSystem.renameAtOnce(
            Rename(found.name, in: found.parent, to: place.name, in: place.parent, mode: .noReplace))
    }

    func replace() throws {
        guard let found = try pick(where: { $0.kind == .file }), let other = try pick(where: { $0.kind == .file })
        else { return }
        try rename(found.place, to: other.place)
    }

    /// Over whatever file is there. What it holds is known only where the rename happens at once: so the flush comes first.
    func rename(_ place: Place, to other: Place) throws {
        for _ in 0..<3 {
            guard let source = try fileSystem.lookup(place.name, in: place.parent) else { return }
            if source.kind == .file { try synchronize(source.number) }
            var isDone = false
            try atOneMoment { isDone = try renameNow(place, to: other) }
            if isDone { return }
        }
    }

    private func renameNow(_ place: Place, to other: Place) throws -> Bool {
        let target = try fileSystem.lookup(other.name, in: other.parent)
        let source = try fileSystem.lookup(place.name, in: place.parent)
        var old: [UInt8]?
        if let target, target.kind == .file, target.number != source?.number {
            guard let content = oracle.content(of: target.number) else { return true }
            old = content
        }
        var isDone = false
        defer { noteRemoval(old, links: target?.links ?? 0, hasSucceeded: isDone) }
        isDone = try fileSystem.renameAtOnce(Rename(place.name, in: place.parent, to: other.name, in: other.parent))
        if !isDone { old = nil }
        return isDone
    }

    func exchange() throws {
        guard let one = try pick(), let other = try pick() else { return }
        _ = try fileSystem.renameAtOnce(
            Rename(one.name, in: one.parent, to: other.name, in: other.parent, mode: .exchange))
    }

    func link() throws {
        guard let found = try pick(where: { $0.kind == .file }), let place = try freePlace() else { return }
        _ = try fileSystem.link(found.attributes.number, as: place.name, in: place.parent)
    }

    // MARK: Removing

    /// A file of several names may be removed by several devices, each of which takes one: then nobody knew.
    private func noteRemoval(_ old: [UInt8]?, links: UInt32, hasSucceeded: Bool) {
        guard let old else { return }
        note("\(stamp) removed", made: nil, replacing: old, hasSucceeded: hasSucceeded && links == 1)
    }

    func remove() throws {
        guard let found = try pick(where: { $0.kind != .directory }) else { return }
        try remove(found)
    }

    private func remove(_ found: Found) throws {
        try atOneMoment {
            guard let current = try fileSystem.lookup(found.name, in: found.parent), current.kind != .directory else {
                return
            }
            var old: [UInt8]?
            if current.kind == .file {
                guard let content = oracle.content(of: current.number) else { return }
                old = content
            }
            var isDone = false
            defer { noteRemoval(old, links: current.links, hasSucceeded: isDone) }
            try fileSystem.unlink(found.name, in: found.parent)
            isDone = true
        }
    }

    func removeDirectory() throws {
        guard let found = try pick(where: { $0.kind == .directory }) else { return }
        try fileSystem.removeDirectory(found.name, in: found.parent)
    }

    func removeTree() throws {
        guard let found = try pick(where: { $0.kind == .directory }) else { return }
        try removeTree(found)
    }

    private func removeTree(_ found: Found) throws {
        for child in try children(of: found.attributes.number) {
            if child.attributes.kind == .directory { try removeTree(child) } else { try remove(child) }
        }
        try fileSystem.removeDirectory(found.name, in: found.parent)
    }

    // MARK: Attributes

    func setMode() throws {
        guard let found = try pick(where: { $0.kind != .symlink }) else { return }
        let bits: UInt16 = entropy.element(of: [0o600, 0o640, 0o644, 0o700, 0o755])
        _ = try fileSystem.setAttributes(of: found.attributes.number, to: AttributeChange(permissions: bits))
    }

    func setAttribute() throws {
        guard let found = try pick(where: { $0.kind == .file || $0.kind == .directory }) else { return }
        let name = Array("user.\(entropy.element(of: ["x", "y", device.name]))".utf8)
        if entropy.chance(30) {
            try fileSystem.removeExtendedAttribute(name, of: found.attributes.number)
        } else {
            try fileSystem.setExtendedAttribute(
                name, of: found.attributes.number, to: Array(stamp.utf8), mode: .any)
        }
    }

    func setTimes() throws {
        guard let found = try pick() else { return }
        let time = Timestamp(seconds: 1_500_000_000 + Int64(entropy.number(below: 1_000_000)), nanoseconds: 0)
        _ = try fileSystem.setAttributes(of: found.attributes.number, to: AttributeChange(modificationTime: .at(time)))
    }
}
