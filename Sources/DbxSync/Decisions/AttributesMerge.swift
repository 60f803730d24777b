package import DbxModel

/// Three-way merge of attributes, field by field: what was changed here stays, everything else is the server's; so a
/// chmod on one device and an xattr set on another are no conflict (DESIGN §3). Extended attributes merge name by name.
package enum AttributesMerge {
    package static func merge(
        base: NodeAttributes, local: NodeAttributes, remote: NodeAttributes
    ) -> NodeAttributes {
        func pick<Value: Equatable>(_ field: KeyPath<NodeAttributes, Value>) -> Value {
            local[keyPath: field] != base[keyPath: field] ? local[keyPath: field] : remote[keyPath: field]
        }
        return NodeAttributes(
            mode: pick(\.mode), uid: pick(\.uid), gid: pick(\.gid), mtime: pick(\.mtime),
            ctime: max(local.ctime, remote.ctime), birthTime: remote.birthTime, rdev: remote.rdev,
            extendedAttributes: mergeExtended(
                base: base.extendedAttributes, local: local.extendedAttributes, remote: remote.extendedAttributes))
    }

    private static func mergeExtended(
        base: [ExtendedAttribute], local: [ExtendedAttribute], remote: [ExtendedAttribute]
    ) -> [ExtendedAttribute] {
        func table(_ list: [ExtendedAttribute]) -> [[UInt8]: [UInt8]] {
            Dictionary(list.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
        }
        let (before, here, there) = (table(base), table(local), table(remote))
        let names = Set(here.keys).union(there.keys)
        let merged: [ExtendedAttribute] = names.compactMap { name in
            let value = here[name] != before[name] ? here[name] : there[name]
            return value.map { ExtendedAttribute(name: name, value: $0) }
        }
        return merged.sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }
}
