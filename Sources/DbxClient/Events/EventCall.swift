import DbxFileSystem
import DbxLocalStore
import DbxModel
package import DbxSystem
import Foundation
import Glibc

/// A call that raises an event where it is made through the mount. A value, and the line in which the helper is asked for
/// it.
struct EventCall: Codable {
    enum Kind: String, Codable {
        case makeFile, makeDirectory, makeSymlink, makeFifo, makeSocket, makeCharacterDevice, makeBlockDevice
        case unlink, removeDirectory, rename
        case modify, touch
    }

    var kind: Kind
    var path: Data
    /// Of `rename`.
    var newPath: Data?

    init(_ kind: Kind, _ path: [UInt8], to newPath: [UInt8]? = nil) {
        self.kind = kind
        self.path = Data(path)
        self.newPath = newPath.map { Data($0) }
    }

    /// On the thread that asked; 0 or the error's number.
    func perform() -> Int32 {
        let path = Self.text(path)
        let newPath = Self.text(newPath ?? Data())
        do throws(Errno) {
            _ = try systemCall { make(path, newPath) }
            return 0
        } catch {
            return error.rawValue
        }
    }

    private func make(_ path: [CChar], _ newPath: [CChar]) -> Int32 {
        switch kind {
        case .makeFile: unsafe mknod(path, S_IFREG | 0o600, 0)
        case .makeDirectory: unsafe mkdir(path, 0o700)
        case .makeSymlink: unsafe symlink(".", path)
        case .makeFifo: unsafe mknod(path, S_IFIFO | 0o600, 0)
        case .makeSocket: unsafe mknod(path, S_IFSOCK | 0o600, 0)
        case .makeCharacterDevice: unsafe mknod(path, S_IFCHR | 0o600, 0)
        case .makeBlockDevice: unsafe mknod(path, S_IFBLK | 0o600, 0)
        case .unlink: unsafe Glibc.unlink(path)
        case .removeDirectory: unsafe rmdir(path)
        case .rename: unsafe Glibc.rename(path, newPath)
        case .modify: modify(path)
        case .touch: Self.touch(path, Self.now)
        }
    }

    /// The kernel calls a new modification time alone a modification, both times a change of attributes. What cannot be
    /// opened for writing has no close to tell of.
    private func modify(_ path: [CChar]) -> Int32 {
        let descriptor = unsafe open(path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { return Self.touch(path, Self.unchanged) }
        defer { close(descriptor) }
        let times = [Self.unchanged, Self.now]
        return unsafe futimens(descriptor, times)
    }

    private static func touch(_ path: [CChar], _ accessTime: timespec) -> Int32 {
        let times = [accessTime, now]
        return unsafe utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW)
    }

    // UTIME_NOW and UTIME_OMIT of utimensat(2), which are macros.
    private static let now = timespec(tv_sec: 0, tv_nsec: 0x3FFF_FFFF)
    private static let unchanged = timespec(tv_sec: 0, tv_nsec: 0x3FFF_FFFE)

    private static func text(_ path: Data) -> [CChar] { path.map { CChar(bitPattern: $0) } + [0] }
}

extension EventCall.Kind {
    static func making(_ kind: NodeKind) -> Self {
        switch kind {
        case .file: .makeFile
        case .directory: .makeDirectory
        case .symlink: .makeSymlink
        case .fifo: .makeFifo
        case .socket: .makeSocket
        case .characterDevice: .makeCharacterDevice
        case .blockDevice: .makeBlockDevice
        }
    }
}

/// The helper's side: makes the calls that come in, until no more come.
package enum EventHelper {
    /// What `dbxfs` calls itself with.
    package static let command = "raise-events"

    package static func run() throws(Errno) {
        let requests = LineConnection(OpenFile(takingOwnershipOf: STDIN_FILENO))
        let answers = LineConnection(OpenFile(takingOwnershipOf: STDOUT_FILENO))
        while let line = try requests.readLine() {
            let call = try? JSONDecoder().decode(EventCall.self, from: Data(line))
            try answers.writeLine(Array("\(call?.perform() ?? EINVAL)".utf8))
        }
    }
}
