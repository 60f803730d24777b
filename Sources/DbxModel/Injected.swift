/// Where randomness comes from; injected so that a simulation replays from its seed.
package protocol Entropy: Sendable {
    func next() -> UInt64
}

extension Entropy {
    package func bytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 7)
        while bytes.count < count { bytes += next().bigEndianBytes }
        bytes.removeLast(bytes.count - count)
        return bytes
    }
}

/// The operating system's generator, fit for keys.
package struct SystemEntropy: Entropy {
    package init() {}
    package func next() -> UInt64 {
        var generator = SystemRandomNumberGenerator()
        return generator.next()
    }
}

/// Where time comes from; injected for the same reason.
package protocol TimeSource: Sendable {
    /// Wall-clock time: what people and file times see. It may jump; nothing's safety depends on it.
    func now() -> Timestamp
    /// Time that only goes forward, from an arbitrary start: for timeouts and rates.
    func monotonic() -> Duration
}
