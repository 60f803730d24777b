import DbxModel

/// Cuts a stream where its content says so, so that equal stretches of two streams give equal chunks wherever they
/// stand (FastCDC: Xia et al., USENIX ATC 2016; normalised chunking of level 2). docs/FORMAT.md, Chunks.
///
/// The gear hash of the last 64 bytes decides, from the minimum on: before the average size a cut needs 22 zero bits
/// at its top, after it 18. The numbers and the gear table never change: old and new chunks must keep matching.
/// A value, fed by one thread: push bytes, take cuts.
package struct FastCDC: Sendable {
    package static let minimumBytes = 256 << 10
    package static let averageBytes = 1 << 20
    package static let maximumBytes = Int(ContentLimits.maximumBlockBytes)

    /// Bytes of the current chunk seen so far.
    package private(set) var pendingBytes = 0
    private var hash: UInt64 = 0

    package init() {}

    /// Takes bytes of the current chunk. Where it ends within them, returns how many belonged to it and begins the next
    /// one; the rest has not been looked at and is to be pushed again. Nil: all were taken, the chunk goes on.
    ///
    /// Cuts do not depend on how the stream is divided into pushes. What is pending when the stream ends is the last
    /// chunk.
    package mutating func push(_ bytes: Span<UInt8>) -> Int? {
        // The pointer is used only inside; `scan` reads `count` bytes of it.
        let length = unsafe bytes.withUnsafeBufferPointer { unsafe scan($0) }
        if length != nil { self = FastCDC() }
        return length
    }

    /// The length of the first chunk of `bytes`, which hold 4 MiB at least or else the stream's end.
    package static func nextCut(in bytes: Span<UInt8>) -> Int {
        var chunker = FastCDC()
        return chunker.push(bytes) ?? bytes.count
    }

    /// Before here the hash is not needed: from here to the minimum it takes in its 64 bytes.
    private static let warmUpStart = minimumBytes - 64
    private static let strictLimit = UInt64(1) << (64 - 22)
    private static let relaxedLimit = UInt64(1) << (64 - 18)

    private mutating func scan(_ bytes: UnsafeBufferPointer<UInt8>) -> Int? {
        let start = pendingBytes
        /// Index in `bytes` of the given position of the chunk.
        func index(_ position: Int) -> Int { min(max(position - start, 0), bytes.count) }
        var hash = hash
        let warmUp = index(Self.warmUpStart)
        let minimum = index(Self.minimumBytes)
        let average = index(Self.averageBytes)
        let maximum = index(Self.maximumBytes)
        _ = unsafe Self.roll(&hash, over: bytes, warmUp..<minimum, until: 0)
        if let cut = unsafe Self.roll(&hash, over: bytes, minimum..<average, until: Self.strictLimit) { return cut }
        if let cut = unsafe Self.roll(&hash, over: bytes, average..<maximum, until: Self.relaxedLimit) { return cut }
        if start + maximum == Self.maximumBytes { return maximum }
        self.hash = hash
        pendingBytes += bytes.count
        return nil
    }

    /// Hashes the bytes in `range` and returns the index behind the first one after which the hash is below `limit`.
    private static func roll(
        _ hash: inout UInt64, over bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, until limit: UInt64
    ) -> Int? {
        guard !range.isEmpty, let base = bytes.baseAddress else { return nil }
        // `range` lies within `bytes`, and a byte is always an index of the table.
        return unsafe gear.withUnsafeBufferPointer { table in
            let table = table.baseAddress!
            var value = hash
            for index in range {
                value = unsafe (value << 1) &+ table[Int(base[index])]
                if value < limit {
                    hash = value
                    return index + 1
                }
            }
            hash = value
            return nil
        }
    }

    /// The first 256 outputs of SplitMix64 from the seed "dbxfscdc" in ASCII, most significant byte first.
    static let gear: [UInt64] = {
        var state: UInt64 = 0x6462_7866_7363_6463
        return (0..<256).map { _ in
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }()
}
