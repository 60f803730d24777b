import DbxLocalStore
import DbxSystem

/// Fetches many blocks below everything that somebody waits for, a bounded number at a time. Blocking.
struct BlockGathering: Sendable {
    private struct State: Sendable {
        var tokens: [Int: FetchToken] = [:]
        var settled: Set<Int> = []
        var underWay = 0
        var fetched = 0
        var failure: FetchFailure?
    }

    let blocks: any BlockFetching

    private static let window = 256

    /// Until all are here, one cannot be had, or `goesOn`, asked about once a second, says no. The first failure, or nil.
    func fetch(_ wanted: [BlockNumber], goesOn: (_ fetched: Int) -> Bool) -> FetchFailure? {
        let state = Monitor(State())
        var next = 0
        var lastAsked = SystemTime().monotonic()
        while true {
            let isOver = next == wanted.count
            let canGoOn: Bool? = state.wait(timeout: .seconds(1)) { state in
                if state.failure != nil { return false }
                return isOver ? (state.underWay == 0 ? false : nil) : (state.underWay < Self.window ? true : nil)
            }
            let now = SystemTime().monotonic()
            if now - lastAsked >= .seconds(1) || canGoOn == false {
                lastAsked = now
                let fetched = state.withLock { $0.fetched }
                if !goesOn(fetched) { break }
            }
            if canGoOn == false { break }
            if canGoOn == true {
                begin(wanted[next], next, state)
                next += 1
            }
        }
        // Whoever was told no, or met a failure, leaves the rest.
        let (left, failure) = state.withLock { (Array($0.tokens.values), $0.failure) }
        for token in left { blocks.cancel(token) }
        _ = state.wait(timeout: .seconds(60)) { $0.underWay == 0 ? true : nil }
        return failure
    }

    private func begin(_ block: BlockNumber, _ index: Int, _ state: Monitor<State>) {
        state.withLock { $0.underWay += 1 }
        let token = blocks.fetch(block, priority: .background) { result in
            state.update { state in
                state.underWay -= 1
                state.tokens[index] = nil
                state.settled.insert(index)
                switch result {
                case .success: state.fetched += 1
                case .failure(.cancelled): break
                case .failure(let failure): state.failure = state.failure ?? failure
                }
            }
        }
        state.withLock { if $0.settled.remove(index) == nil { $0.tokens[index] = token } }
    }
}
