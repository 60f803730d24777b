import Crypto
import DbxModel
import DbxSystem

/// The file of the master key: one line of text, `dbxfs-master-key-1 ` and 64 hexadecimal digits, readable by its owner
/// only. Whoever loses it loses everything; whoever has it and the data can read everything.
enum KeyFile {
    private static let prefix = "dbxfs-master-key-1 "

    /// Reads the key, or draws one and writes it where there is no file and `mayCreate`.
    static func load(
        _ path: String, mayCreate: Bool, entropy: any Entropy
    ) throws(ServerError) -> SymmetricKey {
        if !Paths.exists(path) {
            guard mayCreate else {
                throw ServerError(
                    .keyFile,
                    "The key file \(path) is missing, and without it the data cannot be opened. Put it back, or name "
                        + "its place in the configuration.")
            }
            do {
                let line = prefix + entropy.bytes(32).hex + "\n"
                try Paths.createPrivateFile(path, containing: Array(line.utf8))
            } catch {
                // Another process that starts at the same time may have been first.
                guard error == .fileExists else {
                    throw ServerError(.keyFile, "The key file \(path) cannot be written: \(error).")
                }
            }
        }
        if mayCreate {
            // Nothing is sealed under a key whose file a power cut could take away.
            do { try Paths.syncDirectory(Paths.parent(of: path)) } catch {
                throw ServerError(.keyFile, "The key file \(path) cannot be brought to the disk: \(error).")
            }
        }
        return try read(path)
    }

    private static func read(_ path: String) throws(ServerError) -> SymmetricKey {
        let bytes: [UInt8]
        do {
            guard try Paths.permissions(of: path) & 0o077 == 0 else {
                throw ServerError(.keyFile, "The key file \(path) is open to others: chmod 600 \(path).")
            }
            bytes = try OpenFile(path: path, .readOnly).read(count: 200, at: 0)
        } catch let error as ServerError {
            throw error
        } catch {
            throw ServerError(.keyFile, "The key file \(path) cannot be read: \(error).")
        }
        let text = String(decoding: bytes, as: UTF8.self)
        guard text.hasPrefix(prefix), text.hasSuffix("\n"),
            let key = [UInt8](hex: String(text.dropFirst(prefix.count).dropLast())), key.count == 32
        else { throw ServerError(.keyFile, "\(path) is no key file of dbxfs-server.") }
        return SymmetricKey(data: key)
    }
}
