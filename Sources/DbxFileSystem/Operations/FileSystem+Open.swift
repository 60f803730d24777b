package import DbxLocalStore
import DbxModel
package import DbxSystem
import Synchronization

extension FileSystem {
    /// Opens a regular file; the kernel has checked that the caller may. With `truncate` it is cut to nothing first, which
    /// takes the set-id bits of anybody's file but root's to keep.
    package func open(_ number: InodeNumber, options: OpenOptions, by caller: Caller) throws(Errno) -> OpenedFile {
        if options.contains(.truncate) {
            try truncateAtOpen(number, by: caller)
        } else {
            _ = try inStore { store in try store.requireFile(number) }
        }
        return opened(number, options)
    }

    /// The last descriptor of the handle is gone.
    package func release(_ handle: FileHandle) {
        guard let open = handles.remove(handle) else { return }
        let fetched = open.fetchedBytes.load(ordering: .relaxed)
        if fetched > 0 { events.fetched(fetched, of: open.number) }
        let (wasLastWriter, removesOrphan) = nodes.closed(open.number, writing: open.isWriting)
        if removesOrphan {
            scheduleRemoval(of: open.number)
        } else if wasLastWriter {
            try? inStore { store in try store.releaseReservation(open.number) }
            events.lastWriterClosed(open.number)
        }
    }

    func opened(_ number: InodeNumber, _ options: OpenOptions) -> OpenedFile {
        let isWriting = options.contains(.write)
        let keepsCache = nodes.opened(number, writing: isWriting)
        return OpenedFile(handle: handles.add(Handle(number, isWriting: isWriting)), keepsCache: keepsCache)
    }

    private func truncateAtOpen(_ number: InodeNumber, by caller: Caller) throws(Errno) {
        let now = time.now()
        if caller.uid != 0 { try clearSetID(of: number) }
        try inStore { store in
            _ = try store.requireFile(number)
            try store.truncate(number, to: 0, now: now)
        }
        nodes.noteUnsynced(number)
        changed()
    }
}
