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
        let result: Result<[UploadGrant], APIError>
        do throws(APIError) {
            result = .success(try api.requestUploads(in: namespace, batch.map(\.block), cancel: cancel))
        } catch {
            result = .failure(error)
        }
        state.update { state in
            for (index, item) in batch.enumerated() { state.answers[item.ticket] = result.map { $0[index] } }
            state.hasLeader = false
        }
    }
}
