import Foundation
import Glibc

/// Small JSON files that only their owner may read, replaced whole: after a crash either the old or the new stands.
package enum PrivateFile {
    /// Creates the directory and its missing parents, each with mode 0700.
    package static func makeDirectory(_ path: String) throws(ClientFailure) {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw ClientFailure(
                .failed, "Cannot create the directory \(path): \(error.localizedDescription)",
                remedy: "Make its parent writable, or point the XDG_*_HOME variables elsewhere.")
        }
    }

    /// Nil when there is no such file.
    static func read<Value: Decodable>(_ type: Value.Type, at path: String) throws(ClientFailure) -> Value? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        do {
            return try JSONDecoder().decode(type, from: Data(contentsOf: URL(fileURLWithPath: path)))
        } catch {
            throw ClientFailure(
                .failed, "Cannot read \(path): \(error.localizedDescription)",
                remedy: "Make it readable, or move it away and run “dbxfs login” again.")
        }
    }

    static func write(_ value: some Encodable, at path: String) throws(ClientFailure) {
        try makeDirectory((path as NSString).deletingLastPathComponent)
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            try replace(path, with: [UInt8](encoder.encode(value)) + [0x0A])
        } catch {
            throw ClientFailure(
                .failed, "Cannot write \(path): \(error.localizedDescription)",
                remedy: "Check that the disk is not full and that the directory is writable.")
        }
    }

    /// Writes beside the file with mode 0600, syncs, renames over it, syncs the directory.
    private static func replace(_ path: String, with bytes: [UInt8]) throws {
        let temporary = path + ".new"
        _ = unsafe unlink(temporary)
        let file = FileHandle(
            fileDescriptor: try checked(unsafe open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)),
            closeOnDealloc: true)
        try file.write(contentsOf: bytes)
        try file.synchronize()
        try file.close()
        _ = try checked(unsafe rename(temporary, path))
        let directory = FileHandle(
            fileDescriptor: try checked(
                unsafe open((path as NSString).deletingLastPathComponent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
            closeOnDealloc: true)
        try directory.synchronize()
    }

    private static func checked(_ result: Int32) throws -> Int32 {
        guard result >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        return result
    }
}
