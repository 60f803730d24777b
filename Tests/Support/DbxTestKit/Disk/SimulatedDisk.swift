import Foundation

/// A disk and what the kernel has not brought there yet, moved on by the records of a trace.
///
/// What POSIX promises and no more: an fsync brings one file's bytes and size, an fsync of a directory brings the names that
/// were made, moved and removed in it. A rename is whole or did not happen. Everything else may have come to the disk by
/// itself, in any order, by sectors of 512 bytes.
package struct SimulatedDisk {
    typealias Number = Int

    enum Change {
        case write(offset: Int64, bytes: [UInt8])
        case size(Int64)
        case zero(Range<Int64>)
    }

    struct File {
        /// On the disk for certain.
        var bytes = SparseBytes()
        /// Not yet, in order.
        var unsynced: [Change] = []
    }

    /// Names that change together.
    struct NameChange {
        var names: [(directory: Number, name: String, node: Number?)]
    }

    static let root: Number = 0
    var files: [Number: File] = [:]
    /// Directories as the disk has them for certain, and as programs see them.
    var durableNames: [Number: [String: Number]] = [root: [:]]
    var names: [Number: [String: Number]] = [root: [:]]
    var unsyncedNames: [NameChange] = []
    private var handles: [UInt64: Number] = [:]
    private var nextNumber: Number = 1
    /// Whose syncs the disk forgets, for tests of tests: it says that all is well.
    private let ignoresSync: @Sendable (String) -> Bool
    private var paths: [UInt64: String] = [:]

    /// An empty disk. It ignores syncs of files whose path `ignoresSync` accepts.
    package init(ignoresSync: @escaping @Sendable (String) -> Bool = { _ in false }) { self.ignoresSync = ignoresSync }

    // MARK: Time goes on

    package mutating func apply(_ operation: DiskOperation) throws {
        switch operation.kind {
        case .open: try open(operation.handle, operation.path, find(operation.path))
        case .create: try open(operation.handle, operation.path, add(operation.path))
        case .close: handles[operation.handle] = nil
        case .write: try change(operation, .write(offset: operation.offset, bytes: operation.bytes))
        case .size: try change(operation, .size(operation.offset))
        case .zero: try change(operation, .zero(operation.offset..<operation.offset + operation.length))
        case .sync: try sync(operation)
        case .makeDirectory:
            let number = try add(operation.path, isFile: false)
            names[number] = [:]
            durableNames[number] = [:]
        case .unlink, .removeDirectory: try rename([(operation.path, nil)])
        case .link: try rename([(operation.otherPath, find(operation.path))])
        case .rename: try rename([(operation.path, nil), (operation.otherPath, find(operation.path))])
        case .syncDirectory: try syncDirectory(operation.path)
        }
    }

    private mutating func open(_ handle: UInt64, _ path: String, _ number: Number) {
        handles[handle] = number
        paths[handle] = path
    }

    private mutating func add(_ path: String, isFile: Bool = true) throws -> Number {
        let number = nextNumber
        nextNumber += 1
        if isFile { files[number] = File() }
        try rename([(path, number)])
        return number
    }

    private mutating func change(_ operation: DiskOperation, _ change: Change) throws {
        let number =
            try operation.handle == 0 ? find(operation.path) : handles[operation.handle] ?? lost(operation.path)
        files[number]?.unsynced.append(change)
    }

    private mutating func sync(_ operation: DiskOperation) throws {
        guard let number = handles[operation.handle] else { return try lost(operation.path) }
        if ignoresSync(paths[operation.handle] ?? "") { return }
        files[number]?.settle()
    }

    private mutating func syncDirectory(_ path: String) throws {
        if ignoresSync(path) { return }
        let directory = try find(path)
        var left: [NameChange] = []
        for change in unsyncedNames {
            if change.names.contains(where: { $0.directory == directory }) {
                change.apply(to: &durableNames)
            } else {
                left.append(change)
            }
        }
        unsyncedNames = left
    }

    // MARK: Names

    private func lost<Result>(_ what: String) throws -> Result {
        throw Shell.Failure(description: "the trace speaks of something that is not there: \(what)")
    }

    private func find(_ path: String) throws -> Number {
        try path.split(separator: "/").reduce(Self.root) { directory, name in
            try names[directory]?[String(name)] ?? lost(path)
        }
    }

    private mutating func rename(_ changes: [(path: String, node: Number?)]) throws {
        let change = NameChange(
            names: try changes.map { path, node in
                let parts = path.split(separator: "/")
                return (try find(parts.dropLast().joined(separator: "/")), String(parts.last ?? ""), node)
            })
        change.apply(to: &names)
        unsyncedNames.append(change)
    }

    // MARK: Disks without a future

    /// A disk on which everything is as `files` and `names` say, for certain.
    init(files: [Number: File], names: [Number: [String: Number]], next: Number) {
        self.init()
        self.files = files
        self.names = names
        durableNames = names
        nextNumber = next
    }

    /// What a killed process leaves behind: everything that it wrote.
    package func afterKill() -> SimulatedDisk {
        SimulatedDisk(
            files: files.mapValues { file in
                var settled = file
                settled.settle()
                return settled
            }, names: names, next: nextNumber)
    }

    var numberOfNext: Number { nextNumber }

    /// Makes files of it.
    package func write(to path: String) throws { try write(Self.root, to: path) }

    private func write(_ directory: Number, to path: String) throws {
        for (name, number) in names[directory] ?? [:] {
            if let file = files[number] {
                try file.bytes.write(to: "\(path)/\(name)")
            } else {
                try FileManager.default.createDirectory(
                    atPath: "\(path)/\(name)", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700]
                )
                try write(number, to: "\(path)/\(name)")
            }
        }
    }
}

extension SimulatedDisk.File {
    mutating func settle() {
        for change in unsynced { apply(change) }
        unsynced = []
    }

    private mutating func apply(_ change: SimulatedDisk.Change) {
        switch change {
        case .write(let offset, let new):
            bytes.write(new[...], at: offset)
            bytes.setSize(max(bytes.size, offset + Int64(new.count)))
        case .size(let size): bytes.setSize(size)
        case .zero(let range): bytes.zero(range)
        }
    }
}

extension SimulatedDisk.NameChange {
    func apply(to directories: inout [SimulatedDisk.Number: [String: SimulatedDisk.Number]]) {
        for (directory, name, node) in names { directories[directory]?[name] = node }
    }
}
