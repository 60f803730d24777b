package import DbxLocalStore
package import DbxModel

/// Decides what of the local work goes to the server next. Deterministic: the same store and context give the same plan.
/// Called with the store's lock held; reads only.
package enum PushPlanner {
    /// How many dirty rows are looked at for one plan; what lies behind has its turn after the next commit, but for the last
    /// ones: whoever changes something now does not wait for what came before.
    private static let window = 4_000
    private static let newest = 500
    /// How many files may be on their way or wait for a commit at once, besides large ones.
    private static let maximumUploads = 1_000
    /// How many large ones may be on their way.
    private static let maximumLargeUploads = 64
    /// A larger one is large: it does not go up together with others.
    private static let largestSmall = Int64(ContentLimits.maximumPackedBytes)
    /// One of so many is chosen for its age, so that it goes up however many smaller ones come.
    private static let shareOfOld = 8
    /// Beyond this a commit is not grown for what a row depends on, while there is anything else to send.
    private static let usualRowLimit = 4_500
    /// And beyond this never: the server refuses more.
    private static let hardRowLimit = ContentLimits.maximumCommitRows - 500

    /// Of the thread that plans: gathering what a row needs goes as deep as a commit has rows.
    package static let stackBytes = 256 << 20

    package static func plan(
        store: LocalStore, context: PushContext, now: Timestamp, commitID: CommitID
    ) throws -> PushPlan {
        let nodes = try freeNodes(store, context.rule, after: 0)
        var plan = PushPlan(uploads: [], commit: nil, nextReadyAt: nil)
        chooseUploads(among: nodes.rows, context: context, now: now, into: &plan)
        let builder = try gather(nodes: nodes, store: store, context: context, now: now)
        plan.leavesOut = builder.hasTooMuch
        if !builder.isEmpty {
            plan.commit = PlannedCommit(request: try builder.request(id: commitID), covered: builder.covered)
        }
        return plan
    }

    /// Dirty rows in the order of their last change, and the change behind which there may be more.
    private typealias FreeRows<Row> = (rows: [Row], next: Int64?)

    private static func freeNodes(
        _ store: LocalStore, _ rule: HoldRule?, after change: Int64
    ) throws -> FreeRows<LocalNode> {
        try free(after: change, of: \.change) { last in
            try store.dirtyNodes(limit: window, afterChange: last)
        } newest: { last in
            try store.newestDirtyNodes(limit: newest, afterChange: last)
        } holds: { node in
            try rule?.holds(node, in: store) ?? false
        }
    }

    private static func freeEntries(
        _ store: LocalStore, _ rule: HoldRule?, after change: Int64
    ) throws -> FreeRows<LocalEntry> {
        try free(after: change, of: \.change) { last in
            try store.dirtyEntries(limit: window, afterChange: last)
        } newest: { last in
            try store.newestDirtyEntries(limit: newest, afterChange: last)
        } holds: { entry in
            try rule?.holds(entry, in: store) ?? false
        }
    }

    /// What is held does not count, so that it hides nothing else.
    private static func free<Row>(
        after start: Int64, of change: (Row) -> Int64, page: (Int64) throws -> [Row],
        newest: (Int64) throws -> [Row], holds: (Row) throws -> Bool
    ) throws -> FreeRows<Row> {
        var free: [Row] = []
        var last = start
        while free.count < window {
            let rows = try page(last)
            free += try rows.filter { try !holds($0) }
            guard rows.count == window, let row = rows.last else { return (free, nil) }
            last = change(row)
        }
        free += try newest(last).filter { try !holds($0) }
        return (free, last)
    }

    private static func chooseUploads(
        among nodes: [LocalNode], context: PushContext, now: Timestamp, into plan: inout PushPlan
    ) {
        var small: [LocalNode] = []
        var large: [LocalNode] = []
        for node in nodes where waitsForQuiet(node, context: context) {
            switch Readiness.of(node, in: context, now: now) {
            // A new empty file has nothing to upload: the commit makes it.
            case .ready where node.isNew && node.size == 0: break
            case .ready where node.size > largestSmall: large.append(node)
            case .ready: small.append(node)
            case .at(let moment): plan.nextReadyAt = min(plan.nextReadyAt ?? moment, moment)
            case .waiting: break
            }
        }
        let others = context.uploading.count - context.largeUploading + context.uploaded.count
        let room = maximumUploads - others + (context.inFlight?.contents ?? 0)
        let chosen = choose(of: large, room: maximumLargeUploads - context.largeUploading)
        plan.uploads = choose(of: small, room: room) + chosen
        plan.largeUploads = Set(chosen)
    }

    /// Small things overtake big ones; among equals the older goes first.
    private static func choose(of ready: [LocalNode], room: Int) -> [InodeNumber] {
        guard room > 0 else { return [] }
        let bySize = ready.sorted {
            ($0.size.bitWidth - $0.size.leadingZeroBitCount, $0.change) < (
                $1.size.bitWidth - $1.size.leadingZeroBitCount, $1.change
            )
        }
        guard ready.count > room else { return bySize.map(\.number) }
        let old = ready.sorted { ($0.waitsSince, $0.change) < ($1.waitsSince, $1.change) }
            .prefix((room + shareOfOld - 1) / shareOfOld).map(\.number)
        let others = bySize.lazy.map(\.number).filter { [old = Set(old)] in !old.contains($0) }
        return Array(others.prefix(room - old.count)) + old
    }

    private static func waitsForQuiet(_ node: LocalNode, context: PushContext) -> Bool {
        node.kind == .file && node.contentDirty && !node.isOrphan && context.uploaded[node.number] == nil
            && !context.held.contains(node.id)
    }

    /// The rows of one commit. What only goes together with more than usual goes when nothing else does.
    private static func gather(
        nodes: FreeRows<LocalNode>, store: LocalStore, context: PushContext, now: Timestamp
    ) throws -> CommitBuilder {
        func fill(upTo rowLimit: Int) throws -> CommitBuilder {
            var builder = try CommitBuilder(store: store, context: context, now: now, rowLimit: rowLimit)
            try fillFirst(&builder, nodes, context) {
                try $0.add($1)
            } more: {
                try freeNodes(store, context.rule, after: $0)
            }
            // What is new is found by its node.
            guard hasRoom(builder, context), context.inFlight == nil else { return builder }
            try fillFirst(&builder, freeEntries(store, context.rule, after: 0), context) {
                try $0.add($1)
            } more: {
                try freeEntries(store, context.rule, after: $0)
            }
            return builder
        }
        let builder = try fill(upTo: context.mayBeLarge ? hardRowLimit : usualRowLimit)
        guard builder.isEmpty, builder.hasTooMuch, !context.mayBeLarge, context.inFlight == nil else { return builder }
        return try fill(upTo: hardRowLimit)
    }

    /// Adds rows while there is room; beyond the first ones only until one of them can go.
    private static func fillFirst<Row>(
        _ builder: inout CommitBuilder, _ first: FreeRows<Row>, _ context: PushContext,
        add: (inout CommitBuilder, Row) throws -> Void, more: (Int64) throws -> FreeRows<Row>
    ) throws {
        var rows = first
        while true {
            for row in rows.rows where hasRoom(builder, context) { try grow(&builder) { try add(&$0, row) } }
            guard builder.isEmpty, builder.hasTooMuch, context.inFlight == nil, let next = rows.next else { return }
            rows = try more(next)
        }
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
