package import DbxLocalStore
import DbxModel
package import DbxSystem

/// How setxattr(2) treats a name that is, or is not, there.
package enum ExtendedAttributeMode: Hashable, Sendable {
    case any, create, replace
}

// `user.*` and `trusted.*` are synced, `security.*` stays on this device. POSIX ACLs are refused, so that nobody takes
// them for being in force. `user.dbxfs.*` is ours: read by name, never listed.
extension FileSystem {
    private static let longestName = 255
    private static let largestValue = 65_536

    package func extendedAttribute(_ name: [UInt8], of number: InodeNumber) throws(Errno) -> [UInt8] {
        let kind = try ExtendedAttributeClass(name)
        if case .ours(let part) = kind {
            guard let value = try states?.syncAttribute(part, of: number) else { throw .noData }
            return value
        }
        let known = try extendedAttributes(kind, of: number)
        guard let found = known.first(where: { $0.name == name }) else { throw .noData }
        return found.value
    }

    /// The names, each with a zero byte behind it. Those of the administrator (`trusted.*`) are shown to nobody else.
    package func extendedAttributeNames(of number: InodeNumber, by caller: Caller) throws(Errno) -> [UInt8] {
        let synced = try extendedAttributes(.synced, of: number)
        let shown = caller.uid == 0 ? synced : synced.filter { !$0.name.starts(with: "trusted.".utf8) }
        return (shown + localAttributes[number]).flatMap { $0.name + [0] }
    }

    package func setExtendedAttribute(
        _ name: [UInt8], of number: InodeNumber, to value: [UInt8], mode: ExtendedAttributeMode
    ) throws(Errno) {
        let kind = try ExtendedAttributeClass(name)
        guard name.count <= Self.longestName else { throw .outOfRange }
        guard value.count <= Self.largestValue else { throw .argumentListTooLong }
        try editExtendedAttributes(kind, of: number) { known throws(Errno) in
            let index = known.firstIndex { $0.name == name }
            if mode == .create, index != nil { throw .fileExists }
            if mode == .replace, index == nil { throw .noData }
            if let index { known.remove(at: index) }
            known.append(ExtendedAttribute(name: name, value: value))
            known.sort { $0.name.lexicographicallyPrecedes($1.name) }
            let total = known.reduce(0) { $0 + $1.name.count + $1.value.count }
            guard total <= NodeAttributes.maximumExtendedBytes else { throw .noSpace }
        }
    }

    package func removeExtendedAttribute(_ name: [UInt8], of number: InodeNumber) throws(Errno) {
        try editExtendedAttributes(try ExtendedAttributeClass(name), of: number) { known throws(Errno) in
            guard let index = known.firstIndex(where: { $0.name == name }) else { throw .noData }
            known.remove(at: index)
        }
    }

    private func extendedAttributes(
        _ kind: ExtendedAttributeClass, of number: InodeNumber
    ) throws(Errno) -> [ExtendedAttribute] {
        switch kind {
        case .synced: try inStore { store in try store.require(number).attributes.extendedAttributes }
        case .local: localAttributes[number]
        case .ours: throw .notPermitted
        }
    }

    private func editExtendedAttributes(
        _ kind: ExtendedAttributeClass, of number: InodeNumber,
        _ edit: (inout [ExtendedAttribute]) throws(Errno) -> Void
    ) throws(Errno) {
        let now = time.now()
        var known = try extendedAttributes(kind, of: number)
        try edit(&known)
        try inStore { store in
            _ = try store.require(number)
            switch kind {
            case .synced: _ = try store.setAttributes(number, AttributeUpdate(extendedAttributes: known), now: now)
            case .local: try store.setLocalAttributes(number, known)
            case .ours: throw Errno.notPermitted
            }
        }
        switch kind {
        case .synced: changed()
        case .local:
            localAttributes.set(known, of: number)
            keeper.noteChange()
        case .ours: break
        }
    }
}

/// Where an extended attribute is kept, by the first part of its name.
private enum ExtendedAttributeClass {
    case synced, local
    /// What sync tells of the node, by what stands behind `user.dbxfs.`; nobody sets it.
    case ours([UInt8])

    private static let ourPrefix = Array("user.dbxfs.".utf8)
    /// Labels of files are the security module's affair: where there is one, it answers before the request comes here. `ls -l`
    /// asks for it of every file until it hears that it is not kept at all, and each question visits us.
    private static let label = Array("security.selinux".utf8)

    /// EOPNOTSUPP for a class that is not kept, EINVAL for one without a name behind it (xattr(7)).
    init(_ name: [UInt8]) throws(Errno) {
        if name.starts(with: Self.ourPrefix) {
            self = .ours(Array(name.dropFirst(Self.ourPrefix.count)))
            return
        }
        guard name != Self.label else { throw .notSupported }
        let classes: [(prefix: String, kind: Self)] = [
            ("user.", .synced), ("trusted.", .synced), ("security.", .local),
        ]
        guard let found = classes.first(where: { name.starts(with: $0.prefix.utf8) }) else { throw .notSupported }
        guard name.count > found.prefix.utf8.count else { throw .invalidArgument }
        self = found.kind
    }
}
