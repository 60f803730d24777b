package import DbxLocalStore
import DbxModel
package import DbxSystem

/// How setxattr(2) treats a name that is, or is not, there.
package enum ExtendedAttributeMode: Hashable, Sendable {
    case any, create, replace
}

// `user.*` and `trusted.*` are kept and synced. `security.*` is not kept: on a nosuid mount file capabilities have no
// effect. POSIX ACLs are refused, so that nobody takes them for being in force.
extension FileSystem {
    private static let longestName = 255
    private static let largestValue = 65_536
    /// Of one node, names and values together.
    private static let largestTotal = 256 << 10

    package func extendedAttribute(_ name: [UInt8], of number: InodeNumber) throws(Errno) -> [UInt8] {
        // The kernel asks for security.capability before every write: no look into the store for it.
        switch ExtendedAttributeClass(name) {
        case .kept: break
        case .security: throw .noData
        case .unsupported: throw .notSupported
        }
        return try inStore { store in
            let known = try store.require(number).attributes.extendedAttributes
            guard let found = known.first(where: { $0.name == name }) else { throw Errno.noData }
            return found.value
        }
    }

    /// The names, each with a zero byte behind it.
    package func extendedAttributeNames(of number: InodeNumber) throws(Errno) -> [UInt8] {
        try inStore { store in
            try store.require(number).attributes.extendedAttributes.flatMap { $0.name + [0] }
        }
    }

    package func setExtendedAttribute(
        _ name: [UInt8], of number: InodeNumber, to value: [UInt8], mode: ExtendedAttributeMode
    ) throws(Errno) {
        guard ExtendedAttributeClass(name) == .kept else { throw .notSupported }
        guard name.count <= Self.longestName else { throw .outOfRange }
        guard value.count <= Self.largestValue else { throw .argumentListTooLong }
        try editExtendedAttributes(of: number) { known throws(Errno) in
            let index = known.firstIndex { $0.name == name }
            if mode == .create, index != nil { throw .fileExists }
            if mode == .replace, index == nil { throw .noData }
            if let index { known.remove(at: index) }
            known.append(ExtendedAttribute(name: name, value: value))
            known.sort { $0.name.lexicographicallyPrecedes($1.name) }
            let total = known.reduce(0) { $0 + $1.name.count + $1.value.count }
            guard total <= Self.largestTotal else { throw .noSpace }
        }
    }

    package func removeExtendedAttribute(_ name: [UInt8], of number: InodeNumber) throws(Errno) {
        switch ExtendedAttributeClass(name) {
        case .kept: break
        case .security: throw .noData
        case .unsupported: throw .notSupported
        }
        try editExtendedAttributes(of: number) { known throws(Errno) in
            guard let index = known.firstIndex(where: { $0.name == name }) else { throw .noData }
            known.remove(at: index)
        }
    }

    private func editExtendedAttributes(
        of number: InodeNumber, _ edit: (inout [ExtendedAttribute]) throws(Errno) -> Void
    ) throws(Errno) {
        let now = time.now()
        try inStore { store in
            var known = try store.require(number).attributes.extendedAttributes
            try edit(&known)
            _ = try store.setAttributes(number, AttributeUpdate(extendedAttributes: known), now: now)
        }
        changed()
    }
}

/// What is done with an extended attribute, by the first part of its name.
private enum ExtendedAttributeClass {
    case kept, security, unsupported

    init(_ name: [UInt8]) {
        func has(_ prefix: String) -> Bool {
            name.count > prefix.utf8.count && name.starts(with: prefix.utf8)
        }
        self = has("user.") || has("trusted.") ? .kept : has("security.") ? .security : .unsupported
    }
}
