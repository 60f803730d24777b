package import DbxSystem

/// Which reads go first.
package enum FetchPriority: Int, Sendable, Comparable {
    /// A program waits for it.
    case demand
    case readahead
    /// Somebody wants it to be here some day: never in the way of the others.
    case background

    package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// Why a block could not be had.
package enum FetchFailure: Error, Hashable, Sendable {
    /// The server is known to be away: asking was not worth the wait.
    case serverAway
    /// The limit for one read has passed.
    case timedOut
    case cancelled
    /// The server says that it does not have the block, or has it damaged.
    case missing
    case refused(String)
    case local(StoreError)

    package var errno: Errno {
        switch self {
        case .serverAway: .hostDown
        case .timedOut: .timedOut
        case .cancelled: .interrupted
        case .missing, .refused: .ioError
        case .local(.noSpace): .noSpace
        case .local: .ioError
        }
    }
}

/// A block, or as much of it as somebody wants.
package struct BlockPart: Hashable, Sendable {
    package var block: BlockNumber
    /// Of its content, 64 KiB each; nil for all of it.
    package var frames: Range<Int>?

    package init(_ block: BlockNumber, frames: Range<Int>? = nil) {
        self.block = block
        self.frames = frames
    }
}

/// Brings blocks into the cache; implemented by the transfer threads.
package protocol BlockFetching: Sendable {
    /// Fetches the part unless it is cached, verifies it and puts it into the cache; more of the block where it cannot be
    /// had in parts. `completion` is called exactly once, from any thread, possibly before this returns, never with a lock
    /// held. Requests for the same are merged; a demand request makes a waiting readahead urgent.
    @discardableResult
    func fetch(
        _ part: BlockPart, priority: FetchPriority,
        completion: @escaping @Sendable (Result<Void, FetchFailure>) -> Void
    ) -> FetchToken

    /// Ends one request early: its completion is called with `cancelled` unless it was called already.
    func cancel(_ token: FetchToken)
}

extension BlockFetching {
    /// The whole block.
    @discardableResult
    package func fetch(
        _ block: BlockNumber, priority: FetchPriority,
        completion: @escaping @Sendable (Result<Void, FetchFailure>) -> Void
    ) -> FetchToken {
        fetch(BlockPart(block), priority: priority, completion: completion)
    }
}

package struct FetchToken: Hashable, Sendable {
    package let value: UInt64

    package init(_ value: UInt64) { self.value = value }
}
