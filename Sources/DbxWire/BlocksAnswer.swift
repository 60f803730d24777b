package import DbxModel

/// `POST /v1/namespaces/{namespace}/blocks`: the stored bytes of many small blocks in one answer. An id may stand in it
/// more than once.
package struct BlocksRequest: Hashable, Sendable, Codable {
    package var blocks: [BlockID]

    package init(blocks: [BlockID]) { self.blocks = blocks }

    package static let maximumBlocks = 256
    /// Of all blocks asked for together.
    package static let maximumBytes: Int64 = 8 << 20
}

/// How that answer, and a pack, is framed: for each block, in order, its length as four bytes, the highest first, and its
/// stored bytes. In an answer the length 0 stands for a block that cannot be had in this way; asked for alone, the answer says why.
package enum BlockFrame {
    package static let headerBytes = 4

    package static func header(length: Int) -> [UInt8] { UInt32(length).bigEndianBytes }
}

/// Takes such an answer apart as it arrives, in pieces of any size, believing nothing: a value without I/O. Holds one
/// block at most.
package struct BlockFrameParser: Sendable {
    package enum Failure: Error {
        /// A block came with another length than it has.
        case wrongLength
        /// There is more than was asked for.
        case tooLong
    }

    private let lengths: [Int]
    private var index = 0
    private var header: [UInt8] = []
    private var body: [UInt8] = []

    /// - Parameter lengths: of the blocks that were asked for, in order.
    package init(lengths: [Int]) { self.lengths = lengths }

    /// Every block has come, or been denied.
    package var isComplete: Bool { index == lengths.count }

    /// Calls `take` for each block that is complete with `bytes`: its place in the request, and its bytes or nil.
    package mutating func receive(_ bytes: [UInt8], take: (Int, [UInt8]?) -> Void) throws(Failure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            guard index < lengths.count else { throw .tooLong }
            if header.count < BlockFrame.headerBytes {
                let piece = rest.prefix(BlockFrame.headerBytes - header.count)
                header += piece
                rest = rest.dropFirst(piece.count)
                guard header.count == BlockFrame.headerBytes else { return }
                try begin(take)
                continue
            }
            let piece = rest.prefix(lengths[index] - body.count)
            body += piece
            rest = rest.dropFirst(piece.count)
            if body.count == lengths[index] { end(body, take) }
        }
    }

    private mutating func begin(_ take: (Int, [UInt8]?) -> Void) throws(Failure) {
        let length = Int(header[...].bigEndianValue)
        guard length > 0 else { return end(nil, take) }
        guard length == lengths[index] else { throw .wrongLength }
        body.reserveCapacity(length)
    }

    private mutating func end(_ block: [UInt8]?, _ take: (Int, [UInt8]?) -> Void) {
        take(index, block)
        index += 1
        header = []
        body = []
    }
}
