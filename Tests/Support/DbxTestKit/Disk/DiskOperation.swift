/// One record of the trace of `lossy-disk`: a change, or a sync.
package struct DiskOperation: Sendable {
    package enum Kind: UInt64, Sendable {
        case open = 1
        case create, write, size, zero, sync, makeDirectory, unlink, removeDirectory, rename, link, syncDirectory, close
    }

    package var kind: Kind
    /// Of the open file; 0 where the file is named by `path`.
    package var handle: UInt64
    package var offset: Int64
    package var length: Int64
    package var path: String
    package var otherPath: String
    package var bytes: [UInt8]
    /// Where in the trace the record ends.
    package var end: Int

    package init(
        kind: Kind, handle: UInt64, offset: Int64, length: Int64, path: String, otherPath: String, bytes: [UInt8],
        end: Int
    ) {
        self.kind = kind
        self.handle = handle
        self.offset = offset
        self.length = length
        self.path = path
        self.otherPath = otherPath
        self.bytes = bytes
        self.end = end
    }

    private static let headerBytes = 48

    static func decode(_ trace: [UInt8]) throws -> [DiskOperation] {
        var operations: [DiskOperation] = []
        var position = 0
        while position + headerBytes <= trace.count {
            func number<Number: FixedWidthInteger>(_ offset: Int) -> Number {
                trace.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: position + offset, as: Number.self) }
            }
            let lengths = [Int(number(32) as UInt32), Int(number(36) as UInt32), Int(number(40) as UInt64)]
            let end = position + headerBytes + lengths.reduce(0, +)
            guard let kind = Kind(rawValue: number(0)), end <= trace.count else {
                throw Shell.Failure(description: "the trace is damaged at \(position)")
            }
            let names = position + headerBytes
            let data = names + lengths[0] + lengths[1]
            operations.append(
                DiskOperation(
                    kind: kind, handle: number(8), offset: number(16), length: number(24),
                    path: String(decoding: trace[names..<names + lengths[0]], as: UTF8.self),
                    otherPath: String(decoding: trace[names + lengths[0]..<data], as: UTF8.self),
                    bytes: Array(trace[data..<end]), end: end))
            position = end
        }
        return operations
    }
}

extension DiskOperation: CustomStringConvertible {
    package var description: String {
        let name = path.isEmpty ? "#\(handle)" : path + (handle == 0 ? "" : "#\(handle)")
        switch kind {
        case .write: return "write \(name) \(offset)+\(length)"
        case .size: return "size \(name) \(offset)"
        case .zero: return "zero \(name) \(offset)+\(length)"
        default: return "\(kind) \(name) \(otherPath)"
        }
    }
}
