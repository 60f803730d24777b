package import DbxLocalStore
package import DbxModel

/// A name in a directory. A value.
package struct NamePlace: Hashable, Sendable {
    package var parent: InodeNumber
    package var name: Name

    package init(parent: InodeNumber, name: Name) {
        self.parent = parent
        self.name = name
    }
}

/// One thing that came from the server, as a program that watches the tree is to learn of it (inotify(7)). A value.
package enum RemoteEvent: Hashable, Sendable {
    case created(NameChange.Target, at: NamePlace)
    case removed(NameChange.Target, at: NamePlace)
    case moved(NameChange.Target, from: NamePlace, to: NamePlace, over: NameChange.Target?)
    /// The content of a file.
    case modified(InodeNumber)
    /// Permissions, owner, times, extended attributes.
    case attributes(InodeNumber)

    /// The directories and nodes whose watchers it concerns; besides, of what changes in a file, the file's directory.
    package var concerned: [InodeNumber] {
        switch self {
        case .created(_, let place): [place.parent]
        case .removed(let target, let place): [place.parent, target.number]
        case .moved(let target, let old, let new, let over):
            [old.parent, new.parent, target.number] + (over.map { [$0.number] } ?? [])
        case .modified(let number), .attributes(let number): [number]
        }
    }

    /// What a pull did: moves first, for what they leave and take is then no removal and no creation. A name that leads to
    /// another node which was nowhere before is told as the end of one file and the beginning of another; a new file's
    /// content is told after its name. That a directory's times follow its entries is no event (inotify(7)).
    package static func events(of names: [NameChange], _ changes: [TreeChange]) -> [RemoteEvent] {
        var left: [InodeNumber: [NameChange]] = [:]
        for name in names { if let before = name.before { left[before.number, default: []].append(name) } }
        var moves: [RemoteEvent] = []
        var sources: Set<NamePlace> = []
        var targets: Set<NamePlace> = []
        for name in names {
            guard let after = name.after, let old = left[after.number]?.popLast() else { continue }
            moves.append(.moved(after, from: old.place, to: name.place, over: name.before))
            sources.insert(old.place)
            targets.insert(name.place)
        }
        let removals = names.compactMap { name -> RemoteEvent? in
            guard let before = name.before, !sources.contains(name.place), !targets.contains(name.place) else {
                return nil
            }
            return .removed(before, at: name.place)
        }
        let arrivals = names.compactMap { name -> (NameChange.Target, NamePlace)? in
            guard let after = name.after, !targets.contains(name.place) else { return nil }
            return (after, name.place)
        }
        let newFiles = arrivals.map(\.0).filter { $0.kind == .file }.map(\.number)
        return moves + removals + arrivals.map { .created($0.0, at: $0.1) }
            + contents(changes, of: newFiles, besides: names.map(\.parent) + arrivals.map(\.0.number))
    }

    private static func contents(
        _ changes: [TreeChange], of newFiles: [InodeNumber], besides others: [InodeNumber]
    ) -> [RemoteEvent] {
        var seen = Set(others)
        var events = newFiles.map { RemoteEvent.modified($0) }
        for case .content(let number) in changes where seen.insert(number).inserted { events.append(.modified(number)) }
        for case .attributes(let number) in changes where seen.insert(number).inserted {
            events.append(.attributes(number))
        }
        return events
    }
}

extension NameChange {
    fileprivate var place: NamePlace { NamePlace(parent: parent, name: name) }
}
