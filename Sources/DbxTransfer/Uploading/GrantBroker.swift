import CurlHTTP
import DbxClientAPI
import DbxModel
import DbxSystem
import DbxWire

/// Asks the server's leave to upload blocks. What threads ask for at the same time goes out as one request, so that a
/// thousand small files do not cost a thousand round trips.
///
/// Sendable: guarded by its monitor, which is not held during the request. The thread that asks first leads.
final class GrantBroker: Sendable {
    private struct State: Sendable {
        var nextTicket: UInt64 = 0
        var waiting: [(ticket: UInt64, block: OfferedBlock)] = []
        var answers: [UInt64: Result<UploadGrant, APIError>] = [:]
        var hasLeader = false
    }

    private enum Turn {
        case answered(Result<UploadGrant, APIError>)
        case lead([(ticket: UInt64, block: OfferedBlock)])
    }

    private let state = Monitor(State())
    private let api: any DbxAPI
    private let namespace: NamespaceID

    init(api: any DbxAPI, namespace: NamespaceID) {
        self.api = api
        self.namespace = namespace
    }

    /// Blocks until the server has answered. Callers see to it that no two ask for one block at the same time: the server
    /// refuses a request that offers it twice.
    func grant(_ block: OfferedBlock, cancel: CancelToken?) throws(APIError) -> UploadGrant {
        let ticket = state.withLock { state -> UInt64 in
            state.nextTicket += 1
            state.waiting.append((state.nextTicket, block))
            return state.nextTicket
        }
        while true {
            let turn = state.wait { state -> Turn? in
                if let answer = state.answers.removeValue(forKey: ticket) { return .answered(answer) }
                guard !state.hasLeader, !state.waiting.isEmpty else { return nil }
                state.hasLeader = true
                let batch = Array(state.waiting.prefix(UploadRequest.maximumBlocks))
                state.waiting.removeFirst(batch.count)
                return .lead(batch)
            }
            switch turn {
            case .answered(let answer): return try answer.get()
            case .lead(let batch): lead(batch, cancel: cancel)
            case nil: continue
            }
        }
    }

    private func lead(_ batch: [(ticket: UInt64, block: OfferedBlock)], cancel: CancelToken?) {
        let smallFirst = batch.sorted { $0.block.storedBytes < $1.block.storedBytes }
        let results = ask(smallFirst.map(\.block)[...], cancel: cancel)
        state.update { state in
            for (item, result) in zip(smallFirst, results) { state.answers[item.ticket] = result }
            state.hasLeader = false
        }
    }

    /// Where the quota has no room for all of them, the smaller half is asked for alone, and the rest if that has room.
    private func ask(
        _ blocks: ArraySlice<OfferedBlock>, cancel: CancelToken?
    ) -> [Result<UploadGrant, APIError>] {
        do throws(APIError) {
            return try api.requestUploads(in: namespace, Array(blocks), cancel: cancel).map { .success($0) }
        } catch {
            guard error.problem?.kind == .quotaExceeded, blocks.count > 1 else {
                return blocks.map { _ in .failure(error) }
            }
            let half = ask(blocks.prefix(blocks.count / 2), cancel: cancel)
            guard case .success = half.last else {
                return half + blocks.dropFirst(half.count).map { _ in .failure(error) }
            }
            return half + ask(blocks.dropFirst(half.count), cancel: cancel)
        }
    }
}
