/// What the kernel is told to forget.
package enum FuseNotice: Hashable, Sendable {
    /// Attributes, and cached data of `length` bytes from `offset` (0 bytes: to the end; negative offset: no data).
    case inode(FuseInode, offset: Int64, length: Int64)
    /// A name: what it leads to, or that it does not exist.
    case entry(FuseInode, name: [UInt8])
    /// A name that is gone for good: watchers of the directory see a deletion.
    case deleted(FuseInode, name: [UInt8], child: FuseInode)

    /// The inode whose lock the kernel takes: notices of one are sent in order.
    var key: FuseInode {
        switch self {
        case .inode(let inode, _, _): inode
        case .entry(let parent, _), .deleted(let parent, _, _): parent
        }
    }
}
