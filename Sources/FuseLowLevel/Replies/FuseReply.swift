/// An answer that is owed: each kind has its own `succeed`, all can `fail`. Dropping one answers EIO.
package protocol FuseAnswer: ~Copyable, Sendable {
    /// Ends the request with an errno value.
    consuming func fail(_ code: Int32)
    /// Whether the caller no longer waits (a signal); the answer is owed all the same.
    borrowing func isInterrupted() -> Bool
    /// For `FuseReplyBox` only: the answer will come later.
    mutating func willWait()
    /// For `FuseReplyBox` only.
    mutating func observe(_ handler: @escaping @Sendable () -> Void) -> FuseInterruptionToken?
}

/// A handler that is due at once because the interruption came before it was set.
package struct FuseInterruptionToken: Sendable {
    let interruption: FuseInterruption
}

/// The answer to a request; `Kind` says which result it takes.
package struct FuseReply<Kind>: ~Copyable, FuseAnswer {
    var request: FuseRequest

    init(_ request: consuming FuseRequest) { self.request = request }

    package consuming func fail(_ code: Int32) { request.fail(code) }

    package mutating func willWait() { request.willWait() }

    package borrowing func isInterrupted() -> Bool { request.isInterrupted() }

    package mutating func observe(_ handler: @escaping @Sendable () -> Void) -> FuseInterruptionToken? {
        let interruption = FuseInterruption(handler)
        return request.observe(interruption) ? FuseInterruptionToken(interruption: interruption) : nil
    }
}

/// The kinds of results.
package enum FuseResult {
    package enum None {}
    package enum Entry {}
    package enum Attributes {}
    package enum Link {}
    package enum Open {}
    package enum Create {}
    package enum Data {}
    package enum Write {}
    package enum Statistics {}
    package enum Seek {}
}

package typealias FuseReplyNone = FuseReply<FuseResult.None>
package typealias FuseReplyEntry = FuseReply<FuseResult.Entry>
package typealias FuseReplyAttributes = FuseReply<FuseResult.Attributes>
package typealias FuseReplyLink = FuseReply<FuseResult.Link>
package typealias FuseReplyOpen = FuseReply<FuseResult.Open>
package typealias FuseReplyCreate = FuseReply<FuseResult.Create>
package typealias FuseReplyData = FuseReply<FuseResult.Data>
package typealias FuseReplyWrite = FuseReply<FuseResult.Write>
package typealias FuseReplyStatistics = FuseReply<FuseResult.Statistics>
package typealias FuseReplySeek = FuseReply<FuseResult.Seek>
