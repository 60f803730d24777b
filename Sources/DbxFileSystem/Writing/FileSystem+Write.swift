package import DbxLocalStore
import DbxModel
package import DbxSystem
import Synchronization

extension FileSystem {
    /// Writes to staging and returns the count; nil where staging has no room: the caller goes on with `writeWhenRoom`.
    ///
    /// Once this has returned, a killed daemon loses nothing of it; a power cut may, until an epoch covers it.
    package func writeAtOnce(
        _ bytes: RawSpan, to number: InodeNumber, at offset: Int64, clearsSetID: Bool = false
    ) throws(Errno) -> Int? {
        let count = bytes.byteCount
        guard offset >= 0 else { throw .invalidArgument }
        guard offset <= ContentLimits.maximumFileBytes - Int64(count) else { throw .fileTooLarge }
        try checkQuota()
        if clearsSetID { try clearSetID(of: number) }
        while true {
            switch try stage(bytes, to: number, at: offset) {
            case .done(let load):
                nodes.noteUnsynced(number)
                changed()
                if let load { stagingHasFilled(load) }
                return count
            case .overtaken: continue
            case .noRoom: return nil
            }
        }
    }

    private func stagingHasFilled(_ load: StagingLoad) {
        // It counts what is deleted already.
        removeOrphans()
        if pacer.wrote(load) { events.stagingIsFilling() }
    }

    /// Whether writers are ahead of uploads: answers of `writeAtOnce` are to go through `whenUploadsFollow`.
    package var isAheadOfUploads: Bool { pacer.holdsWriters }

    /// How many answers have gone through it and waited, since the start.
    package var heldAnswers: Int64 { pacer.heldAnswers }

    /// Calls `answer` once: when uploads have had the time for what was written, or the wait is cancelled.
    package func whenUploadsFollow(_ answer: @escaping @Sendable () -> Void) -> Cancellation { pacer.hold(answer) }

    /// Writes a copy of the bytes as soon as uploads have made room, in order of arrival; ENOSPC when there is none in
    /// time. `completion` is called once. The answer cancels the wait (EINTR).
    package func writeWhenRoom(
        _ bytes: [UInt8], to number: InodeNumber, at offset: Int64,
        completion: @escaping @Sendable (Result<Int, Errno>) -> Void
    ) -> Cancellation {
        room.add(
            WaitingWrite(number: number, offset: offset, bytes: bytes, completion: completion))
    }

    /// One attempt for the room queue; nil where there still is no room.
    func writeOnce(_ write: WaitingWrite) throws(Errno) -> Int? {
        unsafe try writeAtOnce(write.bytes.span.bytes, to: write.number, at: write.offset)
    }

    /// A quota known to be full refuses new bytes here, before they are staged.
    func checkQuota() throws(Errno) {
        if let quota = quota.withLock({ $0 }), quota.leftBytes == 0 { throw .quotaExceeded }
    }

    private enum Attempt {
        /// With how full staging is now, where that matters.
        case done(StagingLoad?)
        /// Bytes that were replaced in place came to be part of a snapshot meanwhile: they are to be written again.
        case overtaken
        /// Staging has none until something has gone up. A full disk is none that uploads would help: an error.
        case noRoom
    }

    private func stage(_ bytes: RawSpan, to number: InodeNumber, at offset: Int64) throws(Errno) -> Attempt {
        let length = Int64(bytes.byteCount)
        let range: StagingRange
        do {
            range = try shared.withStore { store in
                _ = try store.requireFile(number)
                return try store.reserveStaging(number, offset: offset, length: length)
            }
        } catch StoreError.noSpace {
            return .noRoom
        } catch {
            throw Errno(error)
        }
        do {
            try put(bytes, in: range)
            let now = time.now()
            return try inStore { store in
                let before = store.stagingBytes
                if try store.recordWrite(number, offset: offset, length: length, range: range, now: now) {
                    return .done(store.stagingLoad(since: before))
                }
                store.abandon(range)
                return .overtaken
            }
        } catch {
            shared.withStore { $0.abandon(range) }
            throw error
        }
    }

    func put(_ bytes: RawSpan, in range: StagingRange) throws(Errno) {
        var failure: Errno?
        // Safe: the buffer is lent for the call and holds `range.length` bytes.
        unsafe bytes.withUnsafeBytes { buffer in
            do throws(Errno) {
                unsafe try shared.segments.write(buffer, at: range.location)
            } catch {
                failure = error
            }
        }
        if let failure { throw StoreError.io(failure).errno }
    }
}
