internal import CFuse3
internal import Glibc

/// The answer to readdir: entries are added while they fit, then it is sent. An empty one is the end.
package struct FuseReplyDirectory: ~Copyable, FuseAnswer {
    private var request: FuseRequest
    private var buffer: FuseDirectoryBuffer

    init(_ request: consuming FuseRequest, capacity: Int) {
        self.request = request
        buffer = FuseDirectoryBuffer(capacity: capacity)
    }

    /// `type` is the file-type part of a mode; `next` is the offset at which a later request goes on after this entry.
    /// False when it does not fit: send what there is.
    package mutating func add(
        _ name: borrowing Span<UInt8>, inode: FuseInode, type: UInt32, next: Int64
    ) -> Bool {
        var attributes = stat()
        attributes.st_ino = numericCast(inode.rawValue)
        attributes.st_mode = type
        return unsafe buffer.append(name) { target, free, name in
            unsafe request.withPointer { request in
                unsafe fuse_add_direntry(request, target, free, name, &attributes, numericCast(next))
            }
        }
    }

    package consuming func succeed() { unsafe request.succeed(buffer.bytes) }

    package consuming func fail(_ code: Int32) { request.fail(code) }

    package mutating func willWait() { request.willWait() }

    package borrowing func isInterrupted() -> Bool { request.isInterrupted() }

    package mutating func observe(_ handler: @escaping @Sendable () -> Void) -> FuseInterruptionToken? {
        let interruption = FuseInterruption(handler)
        return request.observe(interruption) ? FuseInterruptionToken(interruption: interruption) : nil
    }
}

/// The answer to readdirplus: each entry carries its attributes and is a lookup, but for "." and "..".
package struct FuseReplyDirectoryPlus: ~Copyable, FuseAnswer {
    private var request: FuseRequest
    private var buffer: FuseDirectoryBuffer

    init(_ request: consuming FuseRequest, capacity: Int) {
        self.request = request
        buffer = FuseDirectoryBuffer(capacity: capacity)
    }

    /// As in `FuseReplyDirectory`. Only an entry for which this was true, in a reply that succeeds, counts as a lookup.
    package mutating func add(_ name: borrowing Span<UInt8>, _ entry: FuseEntry, next: Int64) -> Bool {
        var value = entry.cValue
        return unsafe buffer.append(name) { target, free, name in
            unsafe request.withPointer { request in
                unsafe fuse_add_direntry_plus(request, target, free, name, &value, numericCast(next))
            }
        }
    }

    /// An entry without attributes and without a lookup: "." and "..", or a node that is gone meanwhile.
    package mutating func addPlain(
        _ name: borrowing Span<UInt8>, inode: FuseInode, type: UInt32, next: Int64
    ) -> Bool {
        var value = fuse_entry_param()
        value.attr.st_ino = numericCast(inode.rawValue)
        value.attr.st_mode = type
        return unsafe buffer.append(name) { target, free, name in
            unsafe request.withPointer { request in
                unsafe fuse_add_direntry_plus(request, target, free, name, &value, numericCast(next))
            }
        }
    }

    package consuming func succeed() { unsafe request.succeed(buffer.bytes) }

    package consuming func fail(_ code: Int32) { request.fail(code) }

    package mutating func willWait() { request.willWait() }

    package borrowing func isInterrupted() -> Bool { request.isInterrupted() }

    package mutating func observe(_ handler: @escaping @Sendable () -> Void) -> FuseInterruptionToken? {
        let interruption = FuseInterruption(handler)
        return request.observe(interruption) ? FuseInterruptionToken(interruption: interruption) : nil
    }
}
