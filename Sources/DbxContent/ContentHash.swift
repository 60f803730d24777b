import Crypto

/// The hash of a file's whole content, whatever its cuts: SHA-256 over the SHA-256 of each 4 MiB, the last one shorter
/// (docs/FORMAT.md, Content hash). An empty file's is the SHA-256 of nothing. A value, fed in file order.
package struct ContentHash {
    private static let pieceBytes = 4 << 20
    private static let zeros = [UInt8](repeating: 0, count: 64 << 10)
    private static let zeroPiece: [UInt8] = {
        var hasher = SHA256()
        for _ in 0..<pieceBytes / zeros.count { hasher.update(data: zeros) }
        return Array(hasher.finalize())
    }()

    private var outer = SHA256()
    private var piece = SHA256()
    private var pieceCount = 0

    package init() {}

    package mutating func update(_ bytes: Span<UInt8>) {
        var start = 0
        while start < bytes.count {
            let end = min(bytes.count, start + Self.pieceBytes - pieceCount)
            // The pointer is used only inside the closure.
            unsafe bytes.extracting(start..<end).withUnsafeBytes { unsafe piece.update(bufferPointer: $0) }
            advance(end - start)
            start = end
        }
    }

    /// Takes in a hole; whole pieces of it cost one small hash each.
    package mutating func updateWithZeros(_ count: Int64) {
        var rest = count
        while rest > 0 {
            if pieceCount == 0, rest >= Self.pieceBytes {
                outer.update(data: Self.zeroPiece)
                rest -= Int64(Self.pieceBytes)
            } else {
                let step = Int(min(rest, Int64(min(Self.zeros.count, Self.pieceBytes - pieceCount))))
                piece.update(data: Self.zeros[..<step])
                advance(step)
                rest -= Int64(step)
            }
        }
    }

    /// 32 bytes. Ends the hash; the value is not used again.
    package mutating func finalize() -> [UInt8] {
        if pieceCount > 0 { endPiece() }
        return Array(outer.finalize())
    }

    private mutating func advance(_ count: Int) {
        pieceCount += count
        if pieceCount == Self.pieceBytes { endPiece() }
    }

    private mutating func endPiece() {
        outer.update(data: Array(piece.finalize()))
        piece = SHA256()
        pieceCount = 0
    }
}
