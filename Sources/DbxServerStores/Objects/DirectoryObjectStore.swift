package import DbxModel
import DbxSystem
import Synchronization

/// Objects as files: `objects/ab/<id>.<generation>`, with `ab` the id's first two digits, and `uploads/` beside it
/// for what is on its way in.
///
/// An object gets its name by link(2), which never replaces one, after its bytes have been synced; then its directory
/// is synced. Has no state but a counter for names, and which directories are known to be on the disk.
package final class DirectoryObjectStore: ObjectStore {
    private let root: String
    private let stagedCount = Atomic<UInt64>(0)
    /// Guarded by its lock, which is not held while the disk works. A directory that is there may have been made by a
    /// process that was killed, or by a thread that is still, on the way to the disk.
    private let syncedDirectories = Mutex<Set<String>>([])

    /// Makes the directories where there are none.
    package init(root: String) throws(StoreError) {
        self.root = root
        try Self.translating(root) { () throws(Errno) in
            try Paths.createPrivateDirectory(root + "/objects")
            try Paths.createPrivateDirectory(root + "/uploads")
            try Paths.syncDirectory(root)
        }
    }

    private var objects: String { root + "/objects" }
    private var uploads: String { root + "/uploads" }

    private static func directory(of key: ObjectKey) -> String { String(key.block.hex.prefix(2)) }
    private func path(of key: ObjectKey) -> String { "\(objects)/\(Self.directory(of: key))/\(key)" }

    package func stage(_ upload: UploadID) throws(StoreError) -> any StagedObject {
        let number = stagedCount.add(1, ordering: .relaxed).newValue
        let path = "\(uploads)/\(upload).\(number)"
        let file = try Self.translating(path) { () throws(Errno) in
            try OpenFile(path: path, [.readWrite, .create, .truncate])
        }
        return StagedFile(file: file, path: path, store: self)
    }

    /// Names the synced file at `path` as `key`, unless there is such an object.
    func adopt(_ path: String, as key: ObjectKey, length: Int64) throws(StoreError) {
        let directory = "\(objects)/\(Self.directory(of: key))"
        try Self.translating(self.path(of: key)) { () throws(Errno) in
            try makeDurable(directory)
            do throws(Errno) {
                try Paths.link(path, to: self.path(of: key))
            } catch {
                if error != .fileExists { throw error }
            }
            try Paths.syncDirectory(directory)
        }
        guard try self.length(of: key) == length else { throw .corrupt("object \(key) has another length") }
    }

    private func makeDurable(_ directory: String) throws(Errno) {
        if syncedDirectories.withLock({ $0.contains(directory) }) { return }
        try Paths.createPrivateDirectory(directory)
        _ = syncedDirectories.withLock { $0.insert(directory) }
    }

    package func open(_ key: ObjectKey) throws(StoreError) -> (any OpenObject)? {
        let path = path(of: key)
        guard let file = try Self.unlessMissing(path, { () throws(Errno) in try OpenFile(path: path, .readOnly) })
        else { return nil }
        let length = try Self.translating(path) { () throws(Errno) in try file.size() }
        return ObjectFile(file: file, path: path, length: length)
    }

    package func length(of key: ObjectKey) throws(StoreError) -> Int64? { try open(key)?.length }

    package func delete(_ key: ObjectKey) throws(StoreError) {
        let path = path(of: key)
        _ = try Self.unlessMissing(path) { () throws(Errno) in try Paths.remove(path) }
    }

    package func keys(after: ObjectKey?, limit: Int) throws(StoreError) -> [ObjectKey] {
        var found: [ObjectKey] = []
        let first = after.map(Self.directory) ?? ""
        for directory in try names(in: objects) where directory >= first {
            guard Paths.isDirectory("\(objects)/\(directory)") else { continue }
            let keys = try names(in: "\(objects)/\(directory)").compactMap { ObjectKey(name: $0) }
                .filter { Self.directory(of: $0) == directory }.sorted()
            found += keys.filter { key in after.map { $0 < key } ?? true }
            if found.count >= limit { return Array(found.prefix(limit)) }
        }
        return found
    }

    package func removeStaged() throws(StoreError) -> Int {
        let left = try names(in: uploads)
        for name in left {
            let path = "\(uploads)/\(name)"
            _ = try Self.unlessMissing(path) { () throws(Errno) in try Paths.remove(path) }
        }
        return left.count
    }

    package func quarantine(_ key: ObjectKey) throws(StoreError) -> String? {
        let (path, directory) = (path(of: key), root + "/quarantine")
        guard Paths.exists(path) else { return nil }
        return try Self.translating(path) { () throws(Errno) in
            try Paths.createPrivateDirectory(directory)
            var place = "\(directory)/\(key)"
            var count = 1
            while Paths.exists(place) {
                count += 1
                place = "\(directory)/\(key)-\(count)"
            }
            try Paths.rename(path, to: place)
            try Paths.syncDirectory(directory)
            try Paths.syncDirectory(Paths.parent(of: path))
            return place
        }
    }

    package func foreignNames() throws(StoreError) -> [String] {
        var found: [String] = []
        for directory in try names(in: objects) {
            let path = "\(objects)/\(directory)"
            guard Paths.isDirectory(path) else {
                found.append(path)
                continue
            }
            found += try names(in: path)
                .filter { ObjectKey(name: $0).map(Self.directory) != directory }.map { "\(path)/\($0)" }
        }
        return found
    }

    package func freeBytes() throws(StoreError) -> Int64? {
        try Self.translating(root) { () throws(Errno) in try Paths.diskSpace(at: root).availableBytes }
    }

    package func export(to directory: String) throws(StoreError) -> ObjectTotals {
        let target = try DirectoryObjectStore(root: directory)
        var totals = ObjectTotals()
        for name in try names(in: objects) {
            let (from, to) = ("\(objects)/\(name)", "\(target.objects)/\(name)")
            try Self.translating(to) { () throws(Errno) in try Paths.createPrivateDirectory(to) }
            for file in try names(in: from) where ObjectKey(name: file) != nil {
                totals.bytes += try Self.share("\(from)/\(file)", as: "\(to)/\(file)")
                totals.objects += 1
            }
            try Self.translating(to) { () throws(Errno) in try Paths.syncDirectory(to) }
        }
        try Self.translating(target.objects) { () throws(Errno) in try Paths.syncDirectory(target.objects) }
        return totals
    }

    /// A hard link, or a copy where the file systems differ or links are not to be had; returns the length.
    private static func share(_ path: String, as newPath: String) throws(StoreError) -> Int64 {
        try translating(newPath) { () throws(Errno) in
            do throws(Errno) {
                try Paths.link(path, to: newPath)
            } catch {
                switch error {
                case .fileExists: break
                case .crossDevice, .tooManyLinks, .notPermitted: try Paths.copy(path, to: newPath)
                default: throw error
                }
            }
            return try OpenFile(path: newPath, .readOnly).size()
        }
    }

    private func names(in directory: String) throws(StoreError) -> [String] {
        try Self.translating(directory) { () throws(Errno) in try Paths.names(in: directory) }
    }

    private static func unlessMissing<Result>(
        _ path: String, _ body: () throws(Errno) -> Result
    ) throws(StoreError) -> Result? {
        do throws(Errno) {
            return try body()
        } catch {
            if error == .noSuchFile { return nil }
            throw StoreError(error, on: path)
        }
    }

    static func translating<Result>(
        _ path: String, _ body: () throws(Errno) -> Result
    ) throws(StoreError) -> Result {
        do throws(Errno) { return try body() } catch { throw StoreError(error, on: path) }
    }
}

extension StoreError {
    init(_ error: Errno, on path: String) {
        switch error {
        case .noSpace, .quotaExceeded: self = .storageFull
        default: self = .io("\(path): \(error)")
        }
    }
}
