import DbxLocalStore
import DbxModel
package import DbxSystem
import Synchronization

extension FileSystem {
    /// Goes on with an operation that threw EAGAIN: lists what it needs to know, page by page, and tries again after each,
    /// until it throws that no more. `attempt` sends its answer itself; `failed` is called once instead: EHOSTDOWN where the
    /// server is known to be away, ETIMEDOUT after the limit, EINTR when cancelled. Both on other threads.
    package func whenListed(
        _ needs: [ListingNeed], attempt: @escaping @Sendable () throws(Errno) -> Void,
        failed: @escaping @Sendable (Errno) -> Void
    ) -> Cancellation {
        let operation = ListingOperation(self, needs, attempt: attempt, failed: failed)
        deadlines.watch(operation, until: time.monotonic() + limits.longestRead)
        operation.list()
        return Cancellation { operation.cancel() }
    }
}

/// One call on its way through listings. Guarded by its own mutex, held for moves only.
final class ListingOperation: Expiring {
    private struct State {
        var isOver = false
        var token: FetchToken?
        /// It was tried again without another page.
        var idleTries = 0
    }

    private static let mostIdleTries = 100

    private let fileSystem: FileSystem
    private let needs: [ListingNeed]
    private let attempt: @Sendable () throws(Errno) -> Void
    private let failed: @Sendable (Errno) -> Void
    private let state = Mutex(State())

    init(
        _ fileSystem: FileSystem, _ needs: [ListingNeed], attempt: @escaping @Sendable () throws(Errno) -> Void,
        failed: @escaping @Sendable (Errno) -> Void
    ) {
        self.fileSystem = fileSystem
        self.needs = needs
        self.attempt = attempt
        self.failed = failed
    }

    func cancel() { fail(.interrupted) }
    func expire() { fail(.timedOut) }

    /// Asks for what is missing; where somebody else has brought it meanwhile, tries again at once.
    func list() {
        guard let listing = fileSystem.listing else { return fail(.ioError) }
        do throws(Errno) {
            let directory: InodeNumber? = try fileSystem.inStore { store in
                for need in needs { if let directory = try store.directory(toKnow: need) { return directory } }
                return nil
            }
            guard let directory else { return tryAgain(idle: true) }
            let token = listing.list(directory) { [self] result in received(result) }
            let isOver = state.withLock { state in
                state.token = token
                return state.isOver
            }
            if isOver { listing.cancel(token) }
        } catch {
            fail(error)
        }
    }

    private func received(_ result: Result<Void, FetchFailure>) {
        switch result {
        case .success: tryAgain(idle: false)
        // The server has no such directory any more.
        case .failure(.missing): fail(.noSuchFile)
        case .failure(let failure): fail(failure.errno)
        }
    }

    private func tryAgain(idle: Bool) {
        let goesOn = state.withLock { state in
            state.idleTries = idle ? state.idleTries + 1 : 0
            return !state.isOver && state.idleTries < Self.mostIdleTries
        }
        guard goesOn else { return fail(.ioError) }
        do throws(Errno) {
            try attempt()
            state.withLock { $0.isOver = true }
        } catch {
            if error == .wouldBlock { list() } else { fail(error) }
        }
    }

    private func fail(_ error: Errno) {
        let (wasOver, token) = state.withLock { state in
            defer { state.isOver = true }
            return (state.isOver, state.token.take())
        }
        guard !wasOver else { return }
        failed(error)
        if let token { fileSystem.listing?.cancel(token) }
    }
}
