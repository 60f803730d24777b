import Glibc

/// The bytes of a file, most of which may never have been written: those are zeros.
struct SparseBytes {
    private static let chunkBytes: Int64 = 16 << 10
    private var chunks: [Int64: [UInt8]] = [:]
    /// What is behind the end is zero.
    private(set) var size: Int64 = 0

    /// Writes without regard to the size.
    mutating func write(_ bytes: ArraySlice<UInt8>, at offset: Int64) {
        var rest = bytes
        var position = offset
        while !rest.isEmpty {
            let index = position / Self.chunkBytes
            let start = Int(position % Self.chunkBytes)
            let count = min(rest.count, Int(Self.chunkBytes) - start)
            chunks[index, default: [UInt8](repeating: 0, count: Int(Self.chunkBytes))]
                .replaceSubrange(start..<start + count, with: rest.prefix(count))
            rest = rest.dropFirst(count)
            position += Int64(count)
        }
    }

    mutating func zero(_ range: Range<Int64>) {
        for (index, chunk) in chunks {
            let whole = index * Self.chunkBytes..<(index + 1) * Self.chunkBytes
            let part = range.clamped(to: whole)
            if part.isEmpty { continue }
            if part == whole {
                chunks[index] = nil
            } else {
                var changed = chunk
                let start = Int(part.lowerBound - whole.lowerBound)
                changed.replaceSubrange(
                    start..<start + part.count, with: repeatElement(0, count: part.count))
                chunks[index] = changed
            }
        }
    }

    mutating func setSize(_ bytes: Int64) {
        if bytes < size { zero(bytes..<Int64.max) }
        size = bytes
    }

    /// What was written behind the end without ever becoming part of the file is gone.
    mutating func cutAtEnd() { zero(size..<Int64.max) }

    func write(to path: String) throws {
        let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(file) }
        guard file >= 0, ftruncate(file, off_t(size)) == 0 else {
            throw Shell.Failure(description: "\(path) cannot be written: errno \(errno)")
        }
        for (index, chunk) in chunks {
            let start = index * Self.chunkBytes
            let count = Int(min(Int64(chunk.count), size - start))
            guard count <= 0 || pwrite(file, chunk, count, off_t(start)) == count else {
                throw Shell.Failure(description: "\(path) cannot be written: errno \(errno)")
            }
        }
    }
}
