package import DbxModel
import DbxSystem
import Foundation

/// Saves what only this computer has when the store's files are damaged or gone: the bytes that `StagingLog` names become
/// ordinary files, the rest of the state is moved aside, and the store begins afresh with what the server has.
package struct StoreRescue: Sendable {
    /// A file that was saved.
    package struct File: Hashable, Sendable {
        /// Where it lay in the tree, as far as that is known, from the root down.
        package var path: [Name]
        /// Where it lies now, from `directory` on.
        package var savedAs: String
        package var size: Int64
        /// The bytes that the server does not have, as offsets and lengths. Everything else of the saved file is zeros.
        package var unsent: [ByteRange]
        /// Whether all of the file was unsent: then what was saved is the file.
        package var isWhole: Bool
        /// Whether all of its unsent bytes could be read, and are what was written: their checksums say so.
        package var isIntact: Bool
        package var identity: Identity?
    }

    /// What the file is to the server.
    package struct Identity: Hashable, Sendable, Codable {
        package var node: NodeID
        /// The state of its content at the server on which this computer's was based.
        package var base: Seq
        package var mode: UInt16
        package var modified: Timestamp
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
    /// What could not be read, or is missing.
    package private(set) var losses: [String] = []
    /// Whether the log of unsent bytes told everything up to the last epoch: only then is a file as it was last.
    package private(set) var isComplete = true

    private let segments: String
    private var sums = LoggedSums()

    /// Saves the unsent files of the store in `directory`, which no process has open, below `directory/recovered-TIME`, and
    /// moves the rest to `directory/damaged-TIME`. `report` is called between: before anything is moved.
    package static func run(
        in directory: String, now: Timestamp, report: (StoreRescue) throws -> Void = { _ in }
    ) throws(StoreError) -> StoreRescue {
        do {
            var rescue = StoreRescue(
                damaged: try unusedPath("\(directory)/damaged-\(now.seconds)"), segments: directory + "/segments")
            let target = try unusedPath("\(directory)/recovered-\(now.seconds)")
            do {
                try rescue.saveFiles(below: target, store: directory)
                try report(rescue)
            } catch {
                // Tried again at the next start, and disks are full at such times.
                try? FileManager.default.removeItem(atPath: target)
                throw error
            }
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
        let record = try EpochRecord.read(in: store)
        let logBytes = (try? OpenFile(path: StagingLog.path(segments), .readOnly).size()) ?? 0
        guard logBytes > 0 else {
            if StoreFiles.hasSegments(segments) {
                lose("the log of unsent bytes is gone: what was not on the server cannot be told from the rest")
            }
            return
        }
        let isSameBoot = record?.isOf(boot: Paths.bootID() ?? []) ?? true
        // Behind the last epoch the disk may have the words without the bytes.
        let last = isSameBoot ? Int64.max : record?.number ?? .max
        let contents = try StagingLog.contents(in: segments, upTo: last)
        if let place = contents.damagedAt {
            lose("the log of unsent bytes cannot be read from byte \(place) on: what was written last may be missing")
        }
        if !isSameBoot, try !EpochRecord.isWhole(in: store) {
            lose("\(EpochRecord.fileName) can be read in part only: what was written last may be missing")
        }
        let tree = StagedTree(contents.batches)
        sums = tree.sums
        var taken: Set<String> = []
        for (node, file) in tree.files.sorted(by: { $0.key < $1.key }) where !file.extents.isEmpty {
            let path = tree.path(of: node)
            var place = path.map(\.fileName).joined(separator: "/")
            if !taken.insert(place).inserted { place = "file-\(node.rawValue)" }
            try save(file, path, as: place, otherwise: "file-\(node.rawValue)", below: target)
        }
        if !files.isEmpty { directory = target }
    }

    private mutating func lose(_ what: String) {
        losses.append(what)
        isComplete = false
    }

    private mutating func save(
        _ file: StagedTree.File, _ path: [Name], as place: String, otherwise: String, below target: String
    ) throws {
        let (copy, savedAs) = try create(place, otherwise: otherwise, below: target)
        let size = max(file.size, file.extents.last?.end ?? 0)
        try copy.setSize(size)
        var saved: [ByteRange] = []
        let isProven = file.extents.allSatisfy(hasSums)
        for extent in file.extents {
            if try copyBytes(of: extent, to: copy) {
                saved.append(ByteRange(offset: extent.offset, length: extent.length))
            } else {
                losses.append(
                    "\(extent.length) bytes at \(extent.offset) of \(path.map(\.display).joined(separator: "/"))")
            }
        }
        try copy.sync()
        let unsent = file.extents.reduce(0) { $0 + $1.length }
        files.append(
            File(
                path: path, savedAs: savedAs, size: size, unsent: saved, isWhole: unsent == file.allocated,
                isIntact: isProven && saved.count == file.extents.count,
                identity: file.identity.map {
                    Identity(node: $0.id, base: $0.base, mode: $0.mode, modified: $0.mtime)
                }))
    }

    /// Names of the tree that do not fit together on the disk, being of different moments, give way to a number.
    private func create(
        _ place: String, otherwise: String, below target: String
    ) throws -> (file: OpenFile, place: String) {
        for place in [place, otherwise] {
            let path = "\(target)/\(place)"
            do {
                try Paths.createPrivateDirectory(String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)]))
                return (try OpenFile(path: path, [.readWrite, .create, .exclusive]), place)
            } catch {
                guard place != otherwise, error != .noSpace else { throw error }
            }
        }
        throw Errno.ioError
    }

    /// Without sums the pages may have been given to something else since: the log ends too early.
    private func hasSums(_ extent: LocalExtent) -> Bool {
        guard case .staging(let location, _) = extent.source else { return false }
        let bytes = location.position..<location.position + extent.length
        return SegmentPage.covering(location, extent.length).allSatisfy { page in
            let start = page.location.position
            let part = bytes.clamped(to: start..<start + SpaceMap.pageBytes)
            return sums[page]?.sum.covers(Int(part.lowerBound - start)..<Int(part.upperBound - start)) ?? false
        }
    }

    /// False where the bytes cannot be read or are not what was written.
    private func copyBytes(of extent: LocalExtent, to copy: OpenFile) throws -> Bool {
        guard case .staging(let location, _) = extent.source,
            let segment = try? OpenFile(path: "\(segments)/\(location.segment).seg", .readOnly)
        else { return false }
        for page in SegmentPage.covering(location, extent.length) {
            guard let sum = sums[page]?.sum else { continue }
            let bytes = try? segment.read(
                count: Int(sum.to - sum.from), at: page.location.position + Int64(sum.from))
            guard let bytes, CRC32C.checksum(bytes) == sum.checksum else { return false }
        }
        var done: Int64 = 0
        while done < extent.length {
            let count = Int(min(1 << 20, extent.length - done))
            guard let bytes = try? segment.read(count: count, at: location.position + done), bytes.count == count
            else { return false }
            try copy.write(bytes, at: extent.offset + done)
            done += Int64(count)
        }
        return true
    }

    // MARK: The damaged state

    /// The segments stay with the damaged database only where something in them could not be saved.
    private func moveAside(_ directory: String) throws {
        if let saved = self.directory { try Paths.syncDirectory(saved) }
        try Paths.createPrivateDirectory(damaged)
        for name in StoreFiles.names {
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
    fileprivate var fileName: String { String(decoding: display.utf8.prefix(250), as: UTF8.self) }
}
