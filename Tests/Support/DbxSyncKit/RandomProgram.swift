import DbxLocalStore
import DbxModel
import DbxTestKit

/// One random operation of a program, as the file system would carry it out.
package struct RandomProgram {
    package let device: TestDevice
    package let entropy: SeededEntropy
    /// It works in this directory and below.
    package let root: InodeNumber
    /// Contents are drawn from so many.
    package var contents = 1_000
    private var store: LocalStore { device.store }

    package init(device: TestDevice, entropy: SeededEntropy, root: InodeNumber = .root) {
        self.device = device
        self.entropy = entropy
        self.root = root
    }

    package func step() throws {
        var directories = try all(.directory)
        let parent = some(directories) ?? root
        let name = Name("n\(entropy.number(below: 5))")!
        try device.know(name, in: parent)
        directories = try all(.directory)
        guard directories.contains(parent) else { return }
        let files = try all(.file)
        let now = device.moment()
        switch entropy.number(below: 12) {
        case 0, 1:
            if try isFree(parent, name) {
                _ = try store.create(NewNode(kind: .directory, mode: 0o755), in: parent, name, now: now)
            }
        case 2, 3, 4:
            guard try isFree(parent, name) else { return }
            let node = try store.create(NewNode(kind: .file, mode: 0o644), in: parent, name, now: now)
            if entropy.chance(80) { try write(node.number, at: 0) }
        case 5: if let file = some(files) { try write(file, at: Int64(entropy.number(below: 20))) }
        case 6: if let file = some(files) { try store.truncate(file, to: Int64(entropy.number(below: 12)), now: now) }
        case 7:
            if let file = some(files) {
                _ = try store.setAttributes(
                    file, AttributeUpdate(mode: UInt16(entropy.number(below: 0o1000))), now: now)
            }
        case 8: try unlink(parent, name)
        case 9, 10: try rename(from: parent, name, to: some(directories) ?? root)
        default:
            if let file = some(files), try isFree(parent, name) { _ = try store.link(file, in: parent, name, now: now) }
        }
    }

    private func some(_ numbers: [InodeNumber]) -> InodeNumber? { numbers.isEmpty ? nil : entropy.element(of: numbers) }

    private func isFree(_ parent: InodeNumber, _ name: Name) throws -> Bool { try store.lookup(parent, name) == nil }

    package func write(_ file: InodeNumber, at offset: Int64) throws {
        let bytes = Array("\(device.name)\(entropy.number(below: contents))".utf8)
        let range = try store.reserveStaging(file, offset: offset, length: Int64(bytes.count))
        try store.segments.write(bytes, at: range.location)
        _ = try store.recordWrite(file, offset: offset, length: Int64(bytes.count), range: range, now: device.moment())
    }

    private func unlink(_ parent: InodeNumber, _ name: Name) throws {
        guard let node = try store.lookup(parent, name) else { return }
        if node.kind == .directory, try !isEmpty(node.number) { return }
        guard try store.lookup(parent, name)?.number == node.number else { return }
        let left = try store.unlink(parent, name, now: device.moment())
        if left.isOrphan { try store.removeOrphan(left.number) }
    }

    private func rename(from parent: InodeNumber, _ name: Name, to target: InodeNumber) throws {
        let newName = Name("n\(entropy.number(below: 5))")!
        try device.know(newName, in: target)
        if let old = try store.lookup(target, newName), old.kind == .directory { try device.knowAll(old.number) }
        let directories = try all(.directory)
        guard directories.contains(parent), directories.contains(target) else { return }
        guard let node = try store.lookup(parent, name) else { return }
        if node.kind == .directory, try store.isAncestor(node.number, of: target) { return }
        let old = try store.lookup(target, newName)
        if let old {
            if (old.kind == .directory) != (node.kind == .directory) { return }
            if old.kind == .directory, try !store.isEmpty(old.number) { return }
        }
        let mode: RenameMode = old != nil && entropy.chance(20) ? .exchange : .replace
        if mode == .exchange, let old, old.kind == .directory, try store.isAncestor(old.number, of: parent) { return }
        let gone = try store.rename(
            from: parent, name, to: target, newName, mode: mode, now: device.moment())
        if let gone, gone.isOrphan { try store.removeOrphan(gone.number) }
    }

    private func isEmpty(_ directory: InodeNumber) throws -> Bool {
        try device.knowAll(directory)
        return try store.isEmpty(directory)
    }

    /// Every node of a kind that has a name.
    private func all(_ kind: NodeKind) throws -> [InodeNumber] {
        var found: [InodeNumber] = kind == .directory ? [root] : []
        var rest: [InodeNumber] = [root]
        while let directory = rest.popLast() {
            for entry in try store.list(directory, after: 0, limit: .max) {
                if entry.kind == kind { found.append(entry.number) }
                if entry.kind == .directory { rest.append(entry.number) }
            }
        }
        return found
    }
}

// MARK: What programs do in several calls

extension RandomProgram {
    /// As editors do: a new file, renamed over the old one.
    package func save() throws {
        guard let (parent, name, _) = try someEntry(.file), let temporary = Name("n.tmp") else { return }
        let file = NewNode(kind: .file, mode: 0o644)
        let node = try device.store.create(file, in: parent, temporary, now: device.moment())
        try write(node.number, at: 0)
        let gone = try device.store.rename(
            from: parent, temporary, to: parent, name, mode: .replace, now: device.moment())
        if let gone, gone.isOrphan { try device.store.removeOrphan(gone.number) }
    }

    /// Often with something in it.
    package func makeDirectory() throws {
        guard let parent = some(try all(.directory)), let name = try freeName(in: parent) else { return }
        let directory = NewNode(kind: .directory, mode: 0o755)
        let number = try device.store.create(directory, in: parent, name, now: device.moment()).number
        if entropy.chance(60) { try makeFile(name, in: number) }
    }

    private func makeFile(_ name: Name, in parent: InodeNumber) throws {
        let file = try device.store.create(NewNode(kind: .file, mode: 0o644), in: parent, name, now: device.moment())
        try write(file.number, at: 0)
    }

    /// Anywhere but into itself, mostly from the top and not far, where the moves of others meet it; something new may take
    /// its name.
    package func moveDirectory() throws {
        let isNear = entropy.chance(70)
        let top = try device.store.list(root, after: 0, limit: .max).filter { $0.kind == .directory }
        let near = isNear && !top.isEmpty ? entropy.element(of: top) : nil
        guard let (parent, name, number) = try near.map({ (root, $0.name, $0.number) }) ?? someEntry(.directory) else {
            return
        }
        let places = try (near == nil ? all(.directory) : top.map(\.number)).filter {
            try !device.store.isAncestor(number, of: $0)
        }
        guard let target = some(places), let newName = try freeName(in: target) else { return }
        _ = try device.store.rename(from: parent, name, to: target, newName, mode: .noReplace, now: device.moment())
        if entropy.chance(30), try isFree(parent, name) { try makeFile(name, in: parent) }
    }

    private func freeName(in parent: InodeNumber) throws -> Name? {
        let name = Name("n\(entropy.number(below: 5))")!
        try device.know(name, in: parent)
        return try isFree(parent, name) ? name : nil
    }

    /// A directory with all that is in it.
    package func removeTree() throws {
        guard let (parent, name, number) = try someEntry(.directory) else { return }
        try removeAll(in: number)
        try remove(name, from: parent)
    }

    private func removeAll(in directory: InodeNumber) throws {
        for entry in try device.store.list(directory, after: 0, limit: .max) {
            if entry.kind == .directory { try removeAll(in: entry.number) }
            try remove(entry.name, from: directory)
        }
    }

    private func remove(_ name: Name, from parent: InodeNumber) throws {
        let left = try device.store.unlink(parent, name, now: device.moment())
        if left.isOrphan { try device.store.removeOrphan(left.number) }
    }

    /// One of the names that lead to nodes of a kind.
    private func someEntry(_ kind: NodeKind) throws -> (parent: InodeNumber, name: Name, number: InodeNumber)? {
        var found: [(parent: InodeNumber, name: Name, number: InodeNumber)] = []
        var rest = [root]
        while let directory = rest.popLast() {
            for entry in try device.store.list(directory, after: 0, limit: .max) {
                if entry.kind == kind { found.append((directory, entry.name, entry.number)) }
                if entry.kind == .directory { rest.append(entry.number) }
            }
        }
        return found.isEmpty ? nil : found[entropy.number(below: found.count)]
    }
}
