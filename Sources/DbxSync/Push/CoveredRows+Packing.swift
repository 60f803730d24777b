import DbxLocalStore
import DbxModel
import DbxWire

/// The form in which covered rows lie beside their commit. Nobody else reads it; bytes that older programs left are JSON.
extension CoveredRows {
    /// Another layout has another number; JSON begins with none of them.
    private static let layout: UInt64 = 1

    package var packed: [UInt8] {
        var out = PackedWriter()
        out.reserve(nodes.count * 160 + entries.count * 48)
        out.number(Self.layout)
        out.number(UInt64(nodes.count))
        for node in nodes { out.add(node) }
        out.number(UInt64(entries.count))
        for entry in entries {
            out.id(entry.parent)
            out.bytes(entry.name.bytes[...])
            out.signed(entry.change)
            out.flag(entry.sent != nil)
            if let sent = entry.sent { out.id(sent) }
        }
        return out.all
    }

    package init(bytes: [UInt8]) throws {
        guard bytes.first.map(UInt64.init) == Self.layout else {
            self = try WireJSON.decode(Self.self, from: bytes)
            return
        }
        var input = PackedReader(bytes)
        _ = try input.number()
        self.init()
        for _ in 0..<(try input.count(ofAtLeast: 21)) { nodes.append(try input.coveredNode()) }
        for _ in 0..<(try input.count(ofAtLeast: 19)) {
            let (parent, name, change): (NodeID, _, _) = (try input.id(), try input.bytes(), try input.signed())
            entries.append(
                Entry(
                    parent: parent, name: Base64(Array(name)), change: change,
                    sent: try input.flag() ? try input.id() : nil))
        }
        guard input.isAtEnd else { throw MalformedPacking() }
    }
}

extension PackedWriter {
    fileprivate mutating func add(_ node: CoveredRows.Node) {
        id(node.id)
        signed(node.change)
        signed(node.contentChange)
        flag(node.attributes != nil)
        if let state = node.attributes { attributes(state) }
        flag(node.content != nil)
        if let content = node.content { add(content) }
        flag(node.movedRows != nil)
        guard let rows = node.movedRows else { return }
        number(UInt64(rows.count))
        for row in rows {
            signed(row.index)
            number(UInt64(row.extents.count))
            for extent in row.extents {
                signed(extent.offset)
                signed(extent.length)
                raw(extent.block.bytes)
                signed(extent.blockOffset)
            }
        }
    }

    private mutating func add(_ content: UploadSnapshot) {
        number(content.number.rawValue)
        id(content.id)
        signed(content.contentChange)
        signed(content.size)
        signed(content.contentBase.value)
        signed(content.mtime.nanoseconds)
        signed(content.ctime.nanoseconds)
        signed(content.epoch)
        flag(content.isNewStream)
        number(UInt64(content.dirtyStretches.count))
        for stretch in content.dirtyStretches { signed(stretch) }
        number(UInt64(content.extents.count))
        for extent in content.extents { add(extent) }
    }

    private mutating func add(_ extent: LocalExtent) {
        signed(extent.offset)
        signed(extent.length)
        switch extent.source {
        case .staging(let location, let epoch):
            flag(true)
            signed(Int64(location.segment))
            signed(location.position)
            signed(epoch)
        case .block(let block, let offset):
            flag(false)
            signed(block.rawValue)
            signed(offset)
        }
    }
}

extension PackedReader {
    fileprivate mutating func coveredNode() throws(MalformedPacking) -> CoveredRows.Node {
        let (id, change, contentChange): (NodeID, _, _) = (try id(), try signed(), try signed())
        let state = try flag() ? try attributes().0 : nil
        let content = try flag() ? try uploadSnapshot() : nil
        return CoveredRows.Node(
            id: id, change: change, contentChange: contentChange, attributes: state, content: content,
            movedRows: try flag() ? try movedRows() : nil)
    }

    private mutating func movedRows() throws(MalformedPacking) -> [CoveredRows.Row] {
        var rows: [CoveredRows.Row] = []
        for _ in 0..<(try count(ofAtLeast: 2)) {
            var row = CoveredRows.Row(index: try signed(), extents: [])
            for _ in 0..<(try count(ofAtLeast: 35)) {
                let (offset, length) = (try signed(), try signed())
                guard let block = BlockID(bytes: try raw(32)) else { throw MalformedPacking() }
                row.extents.append(Extent(offset: offset, length: length, block: block, blockOffset: try signed()))
            }
            rows.append(row)
        }
        return rows
    }

    private mutating func uploadSnapshot() throws(MalformedPacking) -> UploadSnapshot {
        let number = InodeNumber(rawValue: try self.number())
        let (id, contentChange, size, base): (NodeID, _, _, _) = (try id(), try signed(), try signed(), try signed())
        let (mtime, ctime, epoch) = (try signed(), try signed(), try signed())
        let isNewStream = try flag()
        var stretches: [Int64] = []
        for _ in 0..<(try count(ofAtLeast: 1)) { stretches.append(try signed()) }
        var extents: [LocalExtent] = []
        for _ in 0..<(try count(ofAtLeast: 5)) { extents.append(try localExtent()) }
        return UploadSnapshot(
            number: number, id: id, contentChange: contentChange, size: size, contentBase: Seq(base),
            mtime: Timestamp(nanoseconds: mtime), ctime: Timestamp(nanoseconds: ctime), dirtyStretches: stretches,
            extents: extents, epoch: epoch, isNewStream: isNewStream)
    }

    private mutating func localExtent() throws(MalformedPacking) -> LocalExtent {
        let (offset, length) = (try signed(), try signed())
        guard try flag() else {
            let block = BlockNumber(rawValue: try signed())
            return LocalExtent(offset: offset, length: length, source: .block(block, offset: try signed()))
        }
        guard let segment = Int32(exactly: try signed()) else { throw MalformedPacking() }
        let location = SegmentLocation(segment: segment, position: try signed())
        return LocalExtent(offset: offset, length: length, source: .staging(location, epoch: try signed()))
    }
}
