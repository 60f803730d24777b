import CurlHTTP
import DbxClientAPI
import DbxModel
import DbxWire

/// Asks the server's leave to upload blocks, and sends small ones, many at a time.
///
/// Sendable. Callers see to it that no two ask for one block at the same time: the server refuses a request that has it
/// twice.
final class GrantBroker: Sendable {
    private let grants: RequestBatcher<OfferedBlock, UploadGrant>
    private let packs: RequestBatcher<[UInt8], Bool>

    /// While the server works on one pack another one is on its way.
    private static let packLanes = 2

    init(api: any DbxAPI, namespace: NamespaceID) {
        grants = RequestBatcher(
            fitting: { min($0.count, UploadRequest.maximumBlocks) },
            ask: { blocks, cancel in
                let smallFirst = blocks.indices.sorted { blocks[$0].storedBytes < blocks[$1].storedBytes }
                let results = Self.ask(api, namespace, smallFirst.map { blocks[$0] }[...], cancel: cancel)
                return zip(smallFirst, results).sorted { $0.0 < $1.0 }.map(\.1)
            })
        packs = RequestBatcher(
            lanes: Self.packLanes, fitting: Self.fittingPack,
            ask: { blocks, cancel in
                do throws(APIError) {
                    return try api.storePack(in: namespace, blocks, cancel: cancel).map { .success($0) }
                } catch {
                    return blocks.map { _ in .failure(error) }
                }
            })
    }

    /// Blocks until the server has answered.
    func grant(_ block: OfferedBlock, cancel: CancelToken?) throws(APIError) -> UploadGrant {
        try grants.answer(to: block, cancel: cancel)
    }

    /// Sends a granted block together with others. False: it has to be sent alone, and the answer to that says why.
    func pack(_ stored: [UInt8], cancel: CancelToken?) throws(APIError) -> Bool {
        try packs.answer(to: stored, cancel: cancel)
    }

    private static func fittingPack(_ blocks: [[UInt8]]) -> Int {
        var bytes = 0
        let count = blocks.prefix(PackResponse.maximumBlocks).prefix { block in
            bytes += BlockFrame.headerBytes + block.count
            return bytes <= PackResponse.maximumBytes
        }.count
        return max(1, count)
    }

    /// Where the quota has no room for all of them, the smaller half is asked for alone, and the rest if that has room.
    private static func ask(
        _ api: any DbxAPI, _ namespace: NamespaceID, _ blocks: ArraySlice<OfferedBlock>, cancel: CancelToken?
    ) -> [Result<UploadGrant, APIError>] {
        do throws(APIError) {
            return try api.requestUploads(in: namespace, Array(blocks), cancel: cancel).map { .success($0) }
        } catch {
            guard error.problem?.kind == .quotaExceeded, blocks.count > 1 else {
                return blocks.map { _ in .failure(error) }
            }
            let half = ask(api, namespace, blocks.prefix(blocks.count / 2), cancel: cancel)
            guard case .success = half.last else {
                return half + blocks.dropFirst(half.count).map { _ in .failure(error) }
            }
            return half + ask(api, namespace, blocks.dropFirst(half.count), cancel: cancel)
        }
    }
}
