import DbxModel
import DbxServerCore
import DbxTestKit
import DbxWire
import Testing

/// Random commits against a model of the tree's rules, from seeds that are printed with a failure.
@Suite(.timeLimit(.minutes(2)))
struct CommitPropertyTests {
    @Test("random commits are accepted exactly when the model accepts them", arguments: UInt64(1)...8)
    func randomCommits(_ seed: UInt64) throws {
        let fixture = try TestServer(seed: seed)
        let device = try fixture.newDevice()
        let random = SeededEntropy(seed: seed &* 1_000_003)
        var model = TreeModel(root: device.root)
        var replica = Replica()
        for step in 0..<120 {
            let changes = model.randomChanges(device, random, replica)
            let expected = model.applying(changes)
            let refused = try device.refusal(changes.nodes, changes.entries)
            #expect((refused == nil) == (expected != nil), "seed \(seed), step \(step): \(String(describing: refused))")
            if refused == nil, let expected { model = expected }
            if random.number(in: 0..<4) == 0 {
                // A replica that pulls now and then, in pages of any size, is what a new one is.
                for page in try device.pages(from: replica.cursor, limit: 1 + random.number(in: 0..<9)) {
                    replica.apply(page)
                }
                let fresh = try Replica(device.pages(limit: 1 + random.number(in: 0..<40)))
                #expect(replica.live == fresh.live, "seed \(seed), step \(step)")
                #expect(model.matches(fresh.live), "seed \(seed), step \(step)")
            } else {
                for page in try device.pages(from: replica.cursor) { replica.apply(page) }
            }
        }
    }
}

/// Kinds of the live nodes and the live entries; the rules said a second time, over the whole tree.
struct TreeModel {
    struct Changes {
        var nodes: [NodeChange] = []
        var entries: [EntryChange] = []
    }

    let root: NodeID
    private var kinds: [NodeID: NodeKind]
    private var entries: [NodeID: [Name: NodeID]] = [:]

    init(root: NodeID) {
        self.root = root
        kinds = [root: .directory]
    }

    /// Nil where a rule would be broken.
    func applying(_ changes: Changes) -> TreeModel? {
        var next = self
        for node in changes.nodes { next.kinds[node.id] = node.kind }
        for change in changes.entries { next.entries[change.parent, default: [:]][change.name] = change.node }
        let links = next.entries.values.flatMap(\.values).reduce(into: [NodeID: Int]()) { $0[$1, default: 0] += 1 }
        let created = Set(changes.nodes.map(\.id)).subtracting(kinds.keys)
        guard created.allSatisfy({ links[$0] != nil }), links[root] == nil else { return nil }
        let gone = next.kinds.keys.filter { $0 != root && links[$0] == nil }
        for node in gone {
            guard next.entries[node]?.isEmpty ?? true else { return nil }
            next.kinds[node] = nil
            next.entries[node] = nil
        }
        for (parent, children) in next.entries where !children.isEmpty {
            guard next.kinds[parent] == .directory else { return nil }
            for child in children.values {
                guard let kind = next.kinds[child], kind != .directory || links[child] == 1 else { return nil }
            }
        }
        return next.reachable() == Set(next.kinds.keys) ? next : nil
    }

    private func reachable() -> Set<NodeID> {
        var found: Set<NodeID> = [root]
        var queue = [root]
        while let parent = queue.popLast() {
            for child in entries[parent]?.values.map({ $0 }) ?? [] where found.insert(child).inserted {
                queue.append(child)
            }
        }
        return found
    }

    func matches(_ live: Replica) -> Bool {
        live.nodes.mapValues(\.kind) == kinds
            && live.entries.mapValues { $0.compactMapValues(\.node) } == entries.filter { !$0.value.isEmpty }
    }

    /// A few changes of entries with current bases: creations, links, moves, replacements, removals, valid or not.
    func randomChanges(_ device: TestDevice, _ random: SeededEntropy, _ known: Replica) -> Changes {
        var changes = Changes()
        var used: Set<String> = []
        let all = kinds.keys.sorted()
        let directories = all.filter { kinds[$0] == .directory }
        func put(_ parent: NodeID, _ name: Name, _ node: NodeID?) {
            guard used.insert("\(parent)/\(name)").inserted else { return }
            let base = known.entries[parent]?[name]?.seq ?? .zero
            changes.entries.append(EntryChange(parent: parent, name: name, base: base, node: node))
        }
        func name() -> Name { Name("\(random.number(in: 0..<6))")! }
        for _ in 0...random.number(in: 0..<3) {
            let directory = random.element(of: directories)
            let placed = entries[random.element(of: directories)]?.sorted { $0.key < $1.key } ?? []
            switch random.number(in: 0..<8) {
            case 0...2:
                let node = device.node(random.element(of: [.file, .directory, .directory, .symlink]))
                changes.nodes.append(node)
                put(directory, name(), node.id)
            case 3: put(directory, name(), random.element(of: all))
            case 4: put(directory, name(), nil)
            default:
                guard
                    let parent = directories.first(where: {
                        entries[$0]?.sorted { $0.key < $1.key }.map(\.value) == placed.map(\.value) && !placed.isEmpty
                    })
                else { continue }
                let (old, node) = random.element(of: placed)
                put(parent, old, nil)
                if random.number(in: 0..<3) > 0 { put(directory, name(), node) }
            }
        }
        return changes
    }
}
