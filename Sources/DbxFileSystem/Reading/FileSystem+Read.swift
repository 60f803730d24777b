import DbxLocalStore
import DbxModel
package import DbxSystem
import Synchronization

/// Takes the result of a read that may have waited: exactly one of the two is called, once, on any thread.
package protocol ReadReceiver: Sendable {
    /// The bytes are lent for the time of the call; fewer than asked for at the end of the file.
    func receive(_ bytes: RawSpan)
    func fail(_ error: Errno)
}

extension FileSystem {
    /// Reads into `buffer` and returns the count where that needs neither network nor disk; nil where it does: the caller
    /// goes on with `read`.
    package func readAtOnce(
        _ handle: FileHandle, at offset: Int64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int? {
        guard let open = handles[handle] else { throw .badFileDescriptor }
        let plan = try plan(open.number, offset, buffer.count)
        guard plan.isLocal, unsafe try fillWithoutWaiting(buffer, plan), isCurrent(plan) else { return nil }
        noteAccess(plan, open)
        readAhead(open, offset..<offset + Int64(plan.count), size: plan.size)
        readNeighbours(open, size: plan.size, isMissing: false)
        return plan.count
    }

    /// Copies what the page cache has; false where the disk would be waited for. The plan is local.
    func fillWithoutWaiting(_ buffer: UnsafeMutableRawBufferPointer, _ plan: ReadPlan) throws(Errno) -> Bool {
        var position = 0
        for piece in plan.pieces {
            let part = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[position..<position + piece.length])
            position += piece.length
            guard let place = piece.place else {
                unsafe part.initializeMemory(as: UInt8.self, repeating: 0)
                continue
            }
            // Safe: the part lies in the caller's buffer.
            guard unsafe try shared.segments.readWithoutWaiting(into: part, at: place) else { return false }
        }
        return true
    }

    /// Reads what `readAtOnce` could not: fetches missing blocks, waits for the disk. EINTR when cancelled; EHOSTDOWN
    /// where the server is known to be away, ETIMEDOUT after the limit, EIO for what is damaged or gone, ENODATA for what
    /// is not here and `thread` of a program for which nothing is fetched.
    package func read(
        _ handle: FileHandle, at offset: Int64, count: Int, by thread: Int32 = 0, receiver: any ReadReceiver
    ) -> Cancellation {
        guard let open = handles[handle] else {
            receiver.fail(.badFileDescriptor)
            return Cancellation {}
        }
        let operation = ReadOperation(
            self, open, offset: offset, count: count, thread: thread, receiver: receiver)
        operation.begin()
        return Cancellation { operation.cancel() }
    }

    func plan(_ number: InodeNumber, _ offset: Int64, _ count: Int) throws(Errno) -> ReadPlan {
        let now = time.now()
        return try inStore { store in
            try ReadPlan(try store.requireFile(number), offset: offset, count: count, store: store, now: now)
        }
    }

    /// Whether the plan's places still hold what they held: nothing freed has been reused since.
    func isCurrent(_ plan: ReadPlan) -> Bool {
        shared.withStore { $0.reuseGeneration.load(ordering: .acquiring) } == plan.generation
    }

    func noteAccess(_ plan: ReadPlan, _ open: Handle) {
        if let accessTime = plan.accessTime { nodes.setAccessTime(of: open.number, accessTime) }
    }

    /// Fetches what will be wanted next. Called once for each read, when it comes: the kernel sends them in order, but
    /// they end in any, and what comes next should be on its way together with what is waited for.
    func readAhead(_ open: Handle, _ range: Range<Int64>, size: Int64) {
        let ahead = open.readahead.withLock { $0.next(after: range, size: size) }
        guard !ahead.isEmpty else { return }
        let wanted = try? inStore { store in
            var blocks: [BlockNumber] = []
            for extent in try store.content(open.number, ahead) {
                guard case .block(let block, _) = extent.source, store.cached(block) == nil else { continue }
                open.fetchedBytes.add(extent.length, ordering: .relaxed)
                if blocks.last != block { blocks.append(block) }
            }
            return blocks
        }
        for block in wanted ?? [] { blocks.fetch(block, priority: .readahead) { _ in } }
    }
}
