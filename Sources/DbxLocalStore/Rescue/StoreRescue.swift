package import DbxModel
import DbxSystem

/// Saves what only this computer has when `state.db` is damaged or gone: the bytes that `StagingLog` names become ordinary
/// files, the rest of the state is moved aside, and the next mount begins afresh with what the server has.
package struct StoreRescue: Sendable {
    /// A file that was saved.
    package struct File: Hashable, Sendable, Codable {
        /// Where it lay in the tree, as far as that is known.
        package var path: String
        package var size: Int64
        /// The bytes that the server does not have, as offsets and lengths. Everything else of the saved file is zeros.
        package var unsent: [ByteRange]
        /// Whether all of the file was unsent: then what was saved is the file.
        package var isWhole: Bool
    }

    package struct ByteRange: Hashable, Sendable, Codable {
        package var offset: Int64
        package var length: Int64
    }

    /// Where the files are now; nil when there was nothing to save.
    package private(set) var directory: String?
    package private(set) var files: [File] = []
    /// Where the damaged state is now.
    package let damaged: String
    /// What could not be read.
    package private(set) var losses: [String] = []

    private let segments: String

    /// Whether the directory of a store has lost its database but not what it says of unsent bytes.
    static func hasLostDatabase(_ directory: String) -> Bool {
        !Paths.exists(directory + "/state.db") && Paths.exists(StagingLog.path(directory + "/segments"))
    }

    /// Saves the unsent files of the store in `directory`, which no process has open, below `directory/recovered`.
    package static func run(in directory: String, now: Timestamp) throws(StoreError) -> StoreRescue {
        do {
            var rescue = StoreRescue(
                damaged: try unusedPath("\(directory)/damaged-\(now.seconds)"), segments: directory + "/segments")
            try rescue.saveFiles(below: try unusedPath("\(directory)/recovered-\(now.seconds)"), store: directory)
            try rescue.moveAside(directory)
            return rescue
        } catch {
            throw LocalStore.storeError(error)
        }
    }

    private init(damaged: String, segments: String) {
        self.damaged = damaged
        self.segments = segments
    }

    private static func unusedPath(_ wanted: String) throws -> String {
        for number in 0... {
            let path = number == 0 ? wanted : "\(wanted)-\(number)"
            if !Paths.exists(path) { return path }
        }
        return wanted
    }

    // MARK: Files

    private mutating func saveFiles(below target: String, store: String) throws {
        guard Paths.exists(StagingLog.path(segments)) else { return }
        let record = try EpochRecord.read(in: store)
        let isSameBoot = record?.isOf(boot: Paths.bootID() ?? []) ?? true
        // Behind the last epoch the disk may have the words without the bytes.
        let last = isSameBoot ? Int64.max : record?.number ?? .max
        let tree = StagedTree(try StagingLog.records(in: segments, upTo: last))
        var taken: Set<[UInt8]> = []
        for (node, file) in tree.files.sorted(by: { $0.key < $1.key }) where !file.extents.isEmpty {
            var path = tree.path(of: node)
            while !taken.insert(path.flatMap { $0.bytes + [0x2F] }).inserted {
                path[path.count - 1] = Self.renamed(path[path.count - 1], node)
            }
            try save(file, path, below: target)
        }
        if !files.isEmpty { directory = target }
    }

    private static func renamed(_ name: Name, _ node: InodeNumber) -> Name {
        Name(Array(name.bytes.prefix(230)) + Array(" (\(node.rawValue))".utf8)) ?? name
    }

    private mutating func save(_ file: StagedTree.File, _ path: [Name], below target: String) throws {
        let place = target + path.map { "/" + $0.fileName }.joined()
        try Paths.createPrivateDirectory(String(place[..<(place.lastIndex(of: "/") ?? place.endIndex)]))
        let copy = try OpenFile(path: place, [.readWrite, .create])
        let size = max(file.size, file.extents.last?.end ?? 0)
        try copy.setSize(size)
        var saved: [ByteRange] = []
        for extent in file.extents {
            do {
                try copyBytes(of: extent, to: copy)
                saved.append(ByteRange(offset: extent.offset, length: extent.length))
            } catch {
                losses.append(
                    "\(extent.length) bytes at \(extent.offset) of \(path.map(\.display).joined(separator: "/"))")
            }
        }
        try copy.sync()
        let unsent = file.extents.reduce(0) { $0 + $1.length }
        files.append(
            File(
                path: path.map(\.display).joined(separator: "/"), size: size, unsent: saved,
                isWhole: saved.count == file.extents.count && unsent == file.allocated))
    }

    private func copyBytes(of extent: LocalExtent, to copy: OpenFile) throws {
        guard case .staging(let location, _) = extent.source else { return }
        let segment = try OpenFile(path: "\(segments)/\(location.segment).seg", .readOnly)
        var done: Int64 = 0
        while done < extent.length {
            let count = Int(min(1 << 20, extent.length - done))
            let bytes = try segment.read(count: count, at: location.position + done)
            guard bytes.count == count else { throw Errno.ioError }
            try copy.write(bytes, at: extent.offset + done)
            done += Int64(count)
        }
    }

    // MARK: The damaged state

    /// The segments stay with the damaged database only where something in them could not be saved.
    private func moveAside(_ directory: String) throws {
        if let saved = self.directory { try Paths.syncDirectory(saved) }
        try Paths.createPrivateDirectory(damaged)
        for name in ["state.db", "state.db-wal", "state.db-shm", "state.log", EpochRecord.fileName] {
            let path = "\(directory)/\(name)"
            if Paths.exists(path) { try Paths.rename(path, to: "\(damaged)/\(name)") }
        }
        if Paths.isDirectory(segments) { try Paths.rename(segments, to: damaged + "/segments") }
        try Paths.syncDirectory(damaged)
        try Paths.syncDirectory(directory)
        guard losses.isEmpty else { return }
        for name in (try? Paths.names(in: damaged + "/segments")) ?? [] where name.hasSuffix(".seg") {
            try? Paths.remove("\(damaged)/segments/\(name)")
        }
    }
}

extension Name {
    /// As part of a path on the local disk: bytes that are no UTF-8 are replaced.
    fileprivate var fileName: String { display.replacing("/", with: "_").replacing("\0", with: "_") }
}

/// What the records of a `StagingLog` add up to.
struct StagedTree {
    struct File {
        var size: Int64 = 0
        /// Bytes that are no holes, unsent or not.
        var allocated: Int64 = 0
        var extents: [LocalExtent] = []
    }

    private(set) var files: [InodeNumber: File] = [:]
    private var places: [InodeNumber: (parent: InodeNumber, name: Name)] = [:]

    init(_ records: [StagingLog.Record]) {
        for record in records {
            switch record {
            case .bytes(let node, let range, let location):
                let extent = LocalExtent(
                    offset: range.lowerBound, length: Int64(range.count), source: .staging(location, epoch: 0))
                _ = files[node, default: File()].extents.splice(range, [extent])
            case .none(let node, let range): _ = files[node]?.extents.splice(range, [])
            case .name(let node, let parent, let name): places[node] = (parent, name)
            case .file(let node, let size, let allocated):
                files[node, default: File()].size = size
                files[node]?.allocated = allocated
            case .gone(let node): files[node] = nil
            }
        }
    }

    /// From the root down. What is not known to hang there lies in a directory named for its number.
    func path(of node: InodeNumber) -> [Name] {
        var path: [Name] = []
        var current = node
        var seen: Set<InodeNumber> = []
        while current != .root, seen.insert(current).inserted {
            guard let place = places[current] else {
                if let unknown = Name("node-\(current.rawValue)") { path.append(unknown) }
                break
            }
            path.append(place.name)
            current = place.parent
        }
        return path.reversed()
    }
}
