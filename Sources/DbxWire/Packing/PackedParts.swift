package import DbxModel

/// What packed listings and packed commits have in common (docs/PROTOCOL.md, Packed bodies).

/// Which of a node's rare fields follow.
package struct PackedFields: OptionSet, Sendable {
    package let rawValue: UInt64

    package init(rawValue: UInt64) { self.rawValue = rawValue }

    package static let uid = PackedFields(rawValue: 1)
    package static let gid = PackedFields(rawValue: 2)
    package static let rdev = PackedFields(rawValue: 4)
    package static let encoding = PackedFields(rawValue: 8)
    package static let extendedAttributes = PackedFields(rawValue: 16)
    package static let contentHash = PackedFields(rawValue: 32)
    package static let target = PackedFields(rawValue: 64)
    package static let all: PackedFields = [
        .uid, .gid, .rdev, .encoding, .extendedAttributes, .contentHash, .target,
    ]

    init(of attributes: NodeAttributes) {
        self = []
        if attributes.uid != nil { insert(.uid) }
        if attributes.gid != nil { insert(.gid) }
        if attributes.rdev != 0 { insert(.rdev) }
        if !attributes.extendedAttributes.isEmpty { insert(.extendedAttributes) }
    }
}

extension NodeKind {
    /// In the order of their numbers, which never change.
    static let packed: [NodeKind] = [.file, .directory, .symlink, .fifo, .socket, .characterDevice, .blockDevice]

    var packedNumber: UInt64 { UInt64(Self.packed.firstIndex(of: self) ?? 0) }
}

extension PackedWriter {
    /// `others` are those of the fields that follow behind.
    package mutating func attributes(_ attributes: NodeAttributes, with others: PackedFields = []) {
        number(UInt64(attributes.mode))
        fixed(UInt64(bitPattern: attributes.mtime.nanoseconds))
        signed(attributes.ctime.nanoseconds &- attributes.mtime.nanoseconds)
        signed(attributes.birthTime.nanoseconds &- attributes.mtime.nanoseconds)
        number(PackedFields(of: attributes).union(others).rawValue)
        if let uid = attributes.uid { number(UInt64(uid)) }
        if let gid = attributes.gid { number(UInt64(gid)) }
        if attributes.rdev != 0 { number(attributes.rdev) }
        guard !attributes.extendedAttributes.isEmpty else { return }
        number(UInt64(attributes.extendedAttributes.count))
        for attribute in attributes.extendedAttributes {
            bytes(attribute.name[...])
            bytes(attribute.value[...])
        }
    }

    mutating func name(_ name: Name, after last: Name?) {
        let shared = last.map { zip(name.bytes, $0.bytes).prefix { $0 == $1 }.count } ?? 0
        number(UInt64(shared))
        bytes(name.bytes[shared...])
    }

    mutating func extents(_ extents: [Extent], _ blocks: inout Numbered<BlockID>) {
        number(UInt64(extents.count))
        for extent in extents {
            signed(extent.offset)
            signed(extent.length)
            number(blocks.number(of: extent.block))
            signed(extent.blockOffset)
        }
    }

    mutating func wrap(_ wrap: BlockWrap, _ blocks: inout Numbered<BlockID>, _ ids: inout NumberedIDs) {
        bytes(wrap.sealed.bytes[...])
        number(ids.number(of: wrap.key))
        signed(wrap.plainBytes)
        signed(wrap.storedBytes)
        number(wrap.base.map { blocks.number(of: $0) + 1 } ?? 0)
    }
}

extension PackedReader {
    package mutating func attributes() throws(MalformedPacking) -> (NodeAttributes, fields: PackedFields) {
        let mode: UInt16 = try narrow()
        let mtime = Int64(bitPattern: try fixed())
        let (ctime, birth) = (mtime &+ (try signed()), mtime &+ (try signed()))
        var attributes = NodeAttributes(
            mode: mode, mtime: Timestamp(nanoseconds: mtime), ctime: Timestamp(nanoseconds: ctime),
            birthTime: Timestamp(nanoseconds: birth))
        let fields = PackedFields(rawValue: try number())
        guard fields.isSubset(of: .all) else { throw MalformedPacking() }
        if fields.contains(.uid) { attributes.uid = try narrow() }
        if fields.contains(.gid) { attributes.gid = try narrow() }
        if fields.contains(.rdev) { attributes.rdev = try number() }
        if fields.contains(.extendedAttributes) {
            for _ in 0..<(try count(ofAtLeast: 2)) {
                attributes.extendedAttributes.append(
                    ExtendedAttribute(name: Array(try bytes()), value: Array(try bytes())))
            }
        }
        return (attributes, fields)
    }

    mutating func extents(_ blocks: [BlockID]) throws(MalformedPacking) -> [Extent] {
        var extents: [Extent] = []
        for _ in 0..<(try count(ofAtLeast: 4)) {
            let (offset, length) = (try signed(), try signed())
            let block = try one(of: blocks)
            extents.append(Extent(offset: offset, length: length, block: block, blockOffset: try signed()))
        }
        return extents
    }

    mutating func wrap(_ blocks: [BlockID], _ ids: [PackedID]) throws(MalformedPacking) -> BlockWrap {
        let sealed = Array(try bytes())
        let key = try one(of: ids)
        let (plain, stored) = (try signed(), try signed())
        return BlockWrap(
            sealed: Base64(sealed), key: key.id(), plainBytes: plain, storedBytes: stored,
            base: try oneOrNone(of: blocks))
    }
}
