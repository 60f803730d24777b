import DbxModel
import Synchronization

/// Plain contents by block id, shared by the devices of a test.
package final class BlockPool: Sendable {
    private let contents = Mutex<[BlockID: [UInt8]]>([:])

    package init() {}

    package func put(_ id: BlockID, _ plain: [UInt8]) { contents.withLock { $0[id] = plain } }
    package var ids: [BlockID] { contents.withLock { Array($0.keys) } }
    package func get(_ id: BlockID) -> [UInt8] { contents.withLock { $0[id] ?? [] } }
}
