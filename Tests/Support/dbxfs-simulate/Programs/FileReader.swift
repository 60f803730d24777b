import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSystem

/// Reads whole files as programs do: what is not here comes over the network.
struct FileReader {
    private let fileSystem: FileSystem

    init(_ fileSystem: FileSystem) { self.fileSystem = fileSystem }

    func read(_ number: InodeNumber) throws -> [UInt8] {
        let size = try fileSystem.attributes(of: number).size
        let file = try fileSystem.open(number, options: [], by: Program.caller)
        defer { fileSystem.release(file.handle) }
        var bytes: [UInt8] = []
        while bytes.count < size {
            let part = try read(file.handle, at: Int64(bytes.count), count: min(1 << 20, Int(size) - bytes.count))
            if part.isEmpty { break }
            bytes += part
        }
        return bytes
    }

    private func read(_ handle: FileHandle, at offset: Int64, count: Int) throws -> [UInt8] {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
        defer { buffer.deallocate() }
        if let done = try fileSystem.readAtOnce(handle, at: offset, into: buffer) { return [UInt8](buffer[..<done]) }
        let receiver = Receiver()
        _ = fileSystem.read(handle, at: offset, count: count, receiver: receiver)
        return try receiver.wait()
    }

    private final class Receiver: ReadReceiver {
        private let outcome = Monitor<Result<[UInt8], Errno>?>(nil)

        func receive(_ bytes: RawSpan) {
            let copy = bytes.withUnsafeBytes { [UInt8]($0) }
            outcome.update { $0 = .success(copy) }
        }

        func fail(_ error: Errno) { outcome.update { $0 = .failure(error) } }

        func wait() throws -> [UInt8] {
            guard let result = outcome.wait(timeout: .seconds(200), until: { $0 }) else { throw Errno.timedOut }
            return try result.get()
        }
    }
}
