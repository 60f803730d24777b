import DbxModel

/// What the batches of a `StagingLog` add up to.
struct StagedTree {
    struct File {
        var size: Int64 = 0
        /// Bytes that are no holes, unsent or not.
        var allocated: Int64 = 0
        var extents: [LocalExtent] = []
        var identity: StagedIdentity?
    }

    private(set) var files: [InodeNumber: File] = [:]
    private(set) var sums = LoggedSums()
    private var places: [InodeNumber: (parent: InodeNumber, name: Name)] = [:]

    init(_ batches: [(epoch: Int64, records: [StagingLog.Record])]) {
        for (epoch, records) in batches {
            for record in records { add(record, epoch) }
        }
    }

    private mutating func add(_ record: StagingLog.Record, _ epoch: Int64) {
        sums.add(record, epoch)
        switch record {
        case .bytes(let node, let range, let location):
            let extent = LocalExtent(
                offset: range.lowerBound, length: Int64(range.count), source: .staging(location, epoch: epoch))
            _ = files[node, default: File()].extents.splice(range, [extent])
        case .none(let node, let range): _ = files[node]?.extents.splice(range, [])
        case .name(let node, let parent, let name): places[node] = (parent, name)
        case .file(let node, let size, let allocated):
            files[node, default: File()].size = size
            files[node]?.allocated = allocated
        case .gone(let node): files[node] = nil
        case .identity(let node, let identity): files[node, default: File()].identity = identity
        case .sums: break
        }
    }

    /// From the root down. What is not known to hang there lies in `lost+found`.
    func path(of node: InodeNumber) -> [Name] {
        var path: [Name] = []
        var current = node
        var seen: Set<InodeNumber> = []
        while current != .root {
            guard seen.insert(current).inserted, let place = places[current] else {
                if path.isEmpty, let number = Name("file-\(node.rawValue)") { path.append(number) }
                if let unknown = Name("lost+found") { path.append(unknown) }
                break
            }
            path.append(place.name)
            current = place.parent
        }
        return path.reversed()
    }
}
