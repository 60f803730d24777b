import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSystem

/// Reads directories and names as programs do: what is not known here is listed first.
struct DirectoryReader {
    private let fileSystem: FileSystem

    init(_ fileSystem: FileSystem) { self.fileSystem = fileSystem }

    /// All of it, without `.` and `..`.
    func items(of directory: InodeNumber) throws -> [DirectoryItem] {
        var items: [DirectoryItem] = []
        var offset: Int64 = 0
        while true {
            let place = offset
            try waiting(for: .entries(of: directory)) { () throws(Errno) in
                try fileSystem.requireNext(in: directory, after: place)
            }
            let more = try fileSystem.list(directory, after: offset, limit: 1_000, withAttributes: true)
            guard let last = more.last else { return items.filter { !$0.isDot } }
            items += more
            offset = last.next
        }
    }

    func lookup(_ name: Name, in directory: InodeNumber) throws -> FileAttributes? {
        try waiting(for: .name(name, in: directory)) { () throws(Errno) in
            try fileSystem.lookup(name, in: directory)
        }
    }

    private func waiting<Value: Sendable>(
        for need: ListingNeed, _ operation: @escaping @Sendable () throws(Errno) -> Value
    ) throws -> Value {
        do throws(Errno) {
            return try operation()
        } catch {
            guard error == .wouldBlock else { throw error }
        }
        let outcome = Monitor<Result<Value, Errno>?>(nil)
        _ = fileSystem.whenListed([need]) { () throws(Errno) in
            let value = try operation()
            outcome.update { $0 = .success(value) }
        } failed: { error in
            outcome.update { $0 = .failure(error) }
        }
        guard let result = outcome.wait(timeout: .seconds(200), until: { $0 }) else { throw Errno.timedOut }
        return try result.get()
    }
}
