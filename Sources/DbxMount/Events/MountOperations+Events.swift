import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSystem
import FuseLowLevel

// Answers to the helper that raises events: what has happened already succeeds, whatever else would change something is
// not permitted.
extension MountOperations {
    func lookUp(_ name: Span<UInt8>, in parent: InodeNumber, for staged: StagedRequest) throws(Errno) -> FuseEntry? {
        switch staged.lookup(NamePlace(parent: parent, name: try Name(decoding: name))) {
        case .asItIs: return nil
        case .nothing: return .negative(timeoutSeconds: 0)
        case .node(let target, let hadOneLinkMore):
            let attributes = try fileSystem.shown(past: target, withOneLinkMore: hadOneLinkMore)
            return FuseEntry(FuseAttributes(attributes), entryTimeoutSeconds: 0, attributeTimeoutSeconds: 0)
        }
    }

    func make(_ name: Span<UInt8>, in parent: FuseInode, for staged: StagedRequest) throws(Errno) -> FuseEntry {
        let place = NamePlace(parent: parent.number, name: try Name(decoding: name))
        guard let target = staged.creates(place), let node = try fileSystem.lookup(place.name, in: place.parent) else {
            throw .notPermitted
        }
        let entry = FuseEntry(node)
        guard node.number == target.number else {
            fileSystem.forget(node.number, count: 1)
            throw .stale
        }
        return entry
    }

    func remove(_ name: Span<UInt8>, in parent: FuseInode, for staged: StagedRequest) throws(Errno) {
        let place = NamePlace(parent: parent.number, name: try Name(decoding: name))
        guard staged.removes(place) else { throw .notPermitted }
    }

    func rename(
        _ name: Span<UInt8>, in parent: FuseInode, to newName: Span<UInt8>, in newParent: FuseInode,
        for staged: StagedRequest
    ) throws(Errno) {
        let old = NamePlace(parent: parent.number, name: try Name(decoding: name))
        let new = NamePlace(parent: newParent.number, name: try Name(decoding: newName))
        guard staged.moves(old, new) else { throw .notPermitted }
    }

    func attributes(of inode: FuseInode, for staged: StagedRequest) throws(Errno) -> FuseAttributes {
        guard staged.changes(inode.number) else { throw .notPermitted }
        return FuseAttributes(try fileSystem.attributes(of: inode.number))
    }
}
