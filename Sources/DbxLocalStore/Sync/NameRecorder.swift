package import DbxModel

/// What a name led to before something happened, and what it leads to afterwards. A value.
package struct NameChange: Hashable, Sendable {
    package struct Target: Hashable, Sendable {
        package var number: InodeNumber
        package var kind: NodeKind

        package init(number: InodeNumber, kind: NodeKind) {
            self.number = number
            self.kind = kind
        }
    }

    package var parent: InodeNumber
    package var name: Name
    package var before: Target?
    package var after: Target?

    package init(parent: InodeNumber, name: Name, before: Target?, after: Target?) {
        self.parent = parent
        self.name = name
        self.before = before
        self.after = after
    }
}

/// Names that change while somebody wants to know, each with what it led to first. Guarded by the store's lock.
struct NameRecorder {
    private(set) var order: [NameKey] = []
    private var before: [NameKey: NameChange.Target?] = [:]

    func knows(_ key: NameKey) -> Bool { before[key] != nil }

    mutating func note(_ key: NameKey, before target: NameChange.Target?) {
        order.append(key)
        before[key] = .some(target)
    }

    func target(of key: NameKey) -> NameChange.Target? { before[key] ?? nil }
}

extension LocalStore {
    /// Beyond so many names nobody is told of each.
    package static let recordedNames = 10_000

    /// Runs `body`, and tells of the names that lead elsewhere afterwards, in the order in which they first changed.
    package func recordingNames<Result>(_ body: () throws -> Result) throws -> (result: Result, names: [NameChange]) {
        nameRecorder = NameRecorder()
        defer { nameRecorder = nil }
        let result = try body()
        let recorder = nameRecorder ?? NameRecorder()
        let names = try recorder.order.compactMap { key -> NameChange? in
            let after = try target(of: key)
            let before = recorder.target(of: key)
            return before == after
                ? nil : NameChange(parent: key.parent, name: key.name, before: before, after: after)
        }
        return (result, names)
    }

    /// To be called before the name leads elsewhere.
    func willChange(_ key: NameKey) throws {
        guard let recorder = nameRecorder, !recorder.knows(key), recorder.order.count < Self.recordedNames else {
            return
        }
        nameRecorder?.note(key, before: try target(of: key))
    }

    private func target(of key: NameKey) throws -> NameChange.Target? {
        try lookup(key.parent, key.name).map { NameChange.Target(number: $0.number, kind: $0.kind) }
    }
}
