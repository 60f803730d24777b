package import DbxModel

/// A block that others are encoded against, with its content. It has no base itself: what needs a base needs one more
/// block and no more.
package struct BlockBase: Sendable {
    package let id: BlockID
    package let plain: [UInt8]

    package init(id: BlockID, plain: [UInt8]) {
        self.id = id
        self.plain = plain
    }

    /// Bytes of its id at the beginning of a body.
    static let idBytes = 32
}
