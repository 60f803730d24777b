import DbxModel
import DbxSystem

/// Checks every invariant of a local store, and repairs what follows from the rest: counts, marks, cached blocks.
///
/// Works on an open store, within its lock, and takes as long as reading all rows and all cached bytes takes. Repairs are
/// ordinary operations: the caller ends with an epoch.
struct StoreCheck {
    let store: LocalStore
    let repairs: Bool
    private(set) var problems: [StoreProblem] = []

    init(_ store: LocalStore, repairs: Bool) {
        self.store = store
        self.repairs = repairs
    }

    mutating func run() throws {
        try checkDatabase()
        try checkEntries()
        try checkReachability()
        try checkLinks()
        try checkSegments()
        try checkContent()
        try checkMarks()
        try checkSpace()
        try checkCache()
        try checkStaging()
    }

    /// Notes a problem; `repair` runs as one operation of the store where repairs are wanted.
    mutating func note(_ kind: StoreProblem.Kind, _ text: String, repair: (() throws -> Void)? = nil) throws {
        var problem = StoreProblem(kind: kind, text: text)
        if repairs, let repair {
            try store.transaction { try repair() }
            problem.isRepaired = true
        }
        problems.append(problem)
    }

    private mutating func checkDatabase() throws {
        for line in try store.query("PRAGMA integrity_check(20)", [], { String(decoding: $0.bytes(0), as: UTF8.self) })
        where line != "ok" {
            try note(.database, line)
        }
    }

    // MARK: The tree

    private mutating func checkEntries() throws {
        let directory = Self.kind(.directory)
        let lost = try store.query(
            """
            SELECT parent, name FROM entries WHERE NOT EXISTS (SELECT 1 FROM nodes WHERE number = parent AND kind = ?)
            """, [directory]
        ) { (InodeNumber($0[0]), $0.bytes(1)) }
        for (parent, name) in lost {
            try note(.entry, "“\(Self.text(name))” lies in \(parent.rawValue), which is no directory") { [store] in
                try store.removeEntry(parent, name)
            }
        }
        let empty = try store.query(
            """
            SELECT parent, name, child FROM entries
            WHERE child IS NOT NULL AND NOT EXISTS (SELECT 1 FROM nodes WHERE number = child)
            """, []
        ) { (InodeNumber($0[0]), $0.bytes(1), $0[2] as Int64) }
        for (parent, name, child) in empty {
            try note(.entry, "“\(Self.text(name))” leads to node \(child), which is not there") { [store] in
                try store.removeEntry(parent, name)
            }
        }
    }

    /// Directories lead to the root; none has two names. What has no name was removed.
    private mutating func checkReachability() throws {
        let rows = try store.query(
            "SELECT child, parent FROM entries JOIN nodes ON number = child WHERE kind = ?", [Self.kind(.directory)]
        ) { (InodeNumber($0[0]), InodeNumber($0[1])) }
        var parents: [InodeNumber: InodeNumber] = [:]
        for (child, parent) in rows where parents.updateValue(parent, forKey: child) != nil {
            try note(.unreachable, "directory \(child.rawValue) has two names")
        }
        var reaching: Set<InodeNumber> = [.root]
        for start in parents.keys.sorted() {
            var way: [InodeNumber] = []
            var seen: Set<InodeNumber> = []
            var current: InodeNumber? = start
            while let number = current, !reaching.contains(number), seen.insert(number).inserted {
                way.append(number)
                current = parents[number]
            }
            let orphan = try current == nil && way.last.map { try store.node($0)?.isOrphan ?? false } ?? false
            if !orphan, current.map({ !reaching.contains($0) }) ?? true {
                try note(.unreachable, "directory \(start.rawValue) does not lead to the root")
            }
            reaching.formUnion(way)
        }
        let nameless = try store.query(
            """
            SELECT number FROM nodes WHERE number != ? AND flags & 16 = 0
                AND NOT EXISTS (SELECT 1 FROM entries WHERE child = number)
            """, [InodeNumber.root.sqlValue]
        ) { InodeNumber($0[0]) }
        for number in nameless {
            try note(.unreachable, "node \(number.rawValue) has no name and is not marked as removed") { [store] in
                try store.change(number) { $0.isOrphan = true }
            }
        }
    }

    private mutating func checkLinks() throws {
        let wrong = try store.query(
            """
            SELECT number, links, counted FROM (
                SELECT number, links, CASE WHEN kind = ?1 THEN CASE WHEN flags & 16 != 0 THEN links ELSE 2 +
                    (SELECT count(*) FROM entries AS e JOIN nodes AS n ON n.number = e.child
                        WHERE e.parent = nodes.number AND n.kind = ?1) END
                ELSE (SELECT count(*) FROM entries WHERE child = nodes.number) END AS counted FROM nodes)
            WHERE links != counted
            """, [Self.kind(.directory)]
        ) { (InodeNumber($0[0]), $0[1] as Int64, $0[2] as Int64) }
        for (number, links, counted) in wrong {
            try note(.links, "node \(number.rawValue) says \(links) links and has \(counted)") { [store] in
                try store.change(number) { node in
                    node.links = counted
                    if node.kind != .directory { node.isOrphan = counted == 0 && (node.isDirty || node.isOrphan) }
                }
            }
        }
    }

    // MARK: Helpers

    static func kind(_ kind: NodeKind) -> SQLValue { (NodeKind.allCases.firstIndex(of: kind) ?? 0).sqlValue }
    static func text(_ name: [UInt8]) -> String { Name(name)?.display ?? "\(name)" }
}

extension LocalStore {
    /// Checks the store; with `repairs` repairs what can be.
    package func check(repairs: Bool) throws(StoreError) -> [StoreProblem] {
        do {
            var check = StoreCheck(self, repairs: repairs)
            try check.run()
            return check.problems
        } catch {
            throw Self.storeError(error)
        }
    }

    fileprivate func removeEntry(_ parent: InodeNumber, _ name: [UInt8]) throws {
        try execute("DELETE FROM entries WHERE parent = ? AND name = ?", [parent.sqlValue, name.sqlValue])
        if let name = Name(name) { names[NameKey(parent: parent, name: name)] = nil }
    }

    func change(_ number: InodeNumber, _ body: (inout LocalNode) -> Void) throws {
        var node = try existing(number)
        body(&node)
        try save(node)
    }
}
