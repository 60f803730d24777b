package import DbxLocalStore
package import DbxModel

/// Decides what of the local work goes to the server next. Deterministic: the same store and context give the same plan.
/// Called with the store's lock held; reads only.
package enum PushPlanner {
    /// How many dirty rows are looked at for one plan; what lies behind has its turn after the next commit.
    private static let window = 4_000
    /// How many files may be on their way or wait for a commit at once.
    private static let maximumUploads = 1_000
    /// Beyond this a commit is not grown for what a row depends on, while there is anything else to send.
    private static let usualRowLimit = 4_500
    /// And beyond this never: the server refuses more.
    private static let hardRowLimit = ContentLimits.maximumCommitRows - 500

    package static func plan(
        store: LocalStore, context: PushContext, now: Timestamp, commitID: CommitID
    ) throws -> PushPlan {
        let nodes = try freeNodes(store, context.rule)
        var plan = PushPlan(uploads: [], commit: nil, nextReadyAt: nil)
        chooseUploads(among: nodes, context: context, now: now, into: &plan)
        plan.commit = try chooseCommit(nodes: nodes, store: store, context: context, now: now, commitID: commitID)
        return plan
    }

    /// The first dirty nodes; what is held does not count, so that it hides nothing else.
    private static func freeNodes(_ store: LocalStore, _ rule: HoldRule?) throws -> [LocalNode] {
        guard let rule else { return try store.dirtyNodes(limit: window, afterChange: 0) }
        var free: [LocalNode] = []
        var last: Int64 = 0
        while free.count < window {
            let page = try store.dirtyNodes(limit: window, afterChange: last)
            free += try page.filter { try !rule.holds($0, in: store) }
            guard page.count == window, let change = page.last?.change else { break }
            last = change
        }
        return free
    }

    private static func freeEntries(_ store: LocalStore, _ rule: HoldRule?) throws -> [LocalEntry] {
        guard let rule else { return try store.dirtyEntries(limit: window, afterChange: 0) }
        var free: [LocalEntry] = []
        var last: Int64 = 0
        while free.count < window {
            let page = try store.dirtyEntries(limit: window, afterChange: last)
            free += try page.filter { try !rule.holds($0, in: store) }
            guard page.count == window, let change = page.last?.change else { break }
            last = change
        }
        return free
    }

    private static func chooseUploads(
        among nodes: [LocalNode], context: PushContext, now: Timestamp, into plan: inout PushPlan
    ) {
        let room = maximumUploads - context.uploading.count - context.uploaded.count
        var ready: [LocalNode] = []
        for node in nodes where waitsForQuiet(node, context: context) {
            switch Readiness.of(node, in: context, now: now) {
            // A new empty file has nothing to upload: the commit makes it.
            case .ready: if !node.isNew || node.size > 0 { ready.append(node) }
            case .at(let moment): plan.nextReadyAt = min(plan.nextReadyAt ?? moment, moment)
            case .waiting: break
            }
        }
        // Small things overtake big ones; among equals the older goes first.
        ready.sort {
            ($0.size.bitWidth - $0.size.leadingZeroBitCount, $0.change) < (
                $1.size.bitWidth - $1.size.leadingZeroBitCount, $1.change
            )
        }
        plan.uploads = ready.prefix(max(0, room)).map(\.number)
    }

    private static func waitsForQuiet(_ node: LocalNode, context: PushContext) -> Bool {
        node.kind == .file && node.contentDirty && !node.isOrphan && context.uploaded[node.number] == nil
            && !context.held.contains(node.id)
    }

    private static func chooseCommit(
        nodes: [LocalNode], store: LocalStore, context: PushContext, now: Timestamp, commitID: CommitID
    ) throws -> PlannedCommit? {
        func fill(upTo rowLimit: Int) throws -> CommitBuilder {
            var builder = try CommitBuilder(store: store, context: context, now: now, rowLimit: rowLimit)
            for node in nodes where hasRoom(builder, context) { try grow(&builder) { try $0.add(node) } }
            guard hasRoom(builder, context) else { return builder }
            for entry in try freeEntries(store, context.rule) where hasRoom(builder, context) {
                try grow(&builder) { try $0.add(entry) }
            }
            return builder
        }
        var builder = try fill(upTo: usualRowLimit)
        if builder.isEmpty, builder.hasTooMuch { builder = try fill(upTo: hardRowLimit) }
        guard !builder.isEmpty else { return nil }
        return PlannedCommit(request: try builder.request(id: commitID), covered: builder.covered)
    }

    private static func hasRoom(_ builder: CommitBuilder, _ context: PushContext) -> Bool {
        builder.rowCount < context.rowLimit && !builder.isHeavy
    }

    private static func grow(_ builder: inout CommitBuilder, _ step: (inout CommitBuilder) throws -> Void) throws {
        let mark = builder.mark
        try step(&builder)
        if builder.isOverfull { builder.rollBack(to: mark) }
    }
}
