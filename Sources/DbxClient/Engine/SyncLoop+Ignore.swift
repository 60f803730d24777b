import DbxLocalStore
import DbxModel
import DbxSync
import DbxSystem

/// Rules of `.dbxfsignore` at work: read when their files change, held against what is new here before each plan.
extension SyncLoop {
    /// How long to wait for a file of rules that cannot be fetched now: nothing new goes up before it is known.
    private static let rulesPatience: Duration = .seconds(5)

    /// Whether all rules are known. What it takes to know them is done; otherwise they are asked for again later.
    func readRules() throws -> Bool {
        let files = try store { store throws(StoreError) in try store.unreadRuleFiles() }
        for file in files {
            guard let body = rules(in: file) else {
                pacing.pause(until: now + Self.rulesPatience)
                return false
            }
            try store { store throws(StoreError) in try store.putRules(file, body) }
        }
        let version = parts.shared.withStore { $0.rulesVersion }
        if version != rulesVersion {
            sorter.use(IgnoreTree(try store { store throws(StoreError) in try store.ruleFiles() }))
            rulesVersion = version
        }
        return true
    }

    /// Tells what stays here from what may go up.
    func sortLocalOnly() throws {
        while try store({ store throws(StoreError) in try sorter.step(store) }) {}
    }

    /// While nothing can go up: so that `status` says of new things what will become of them. When to look again.
    func sortMeanwhile() -> Duration? {
        guard let due = pacing.nextPlan else { return nil }
        guard due <= now else { return due }
        let start = now
        engine.listenForChanges()
        do {
            if try readRules() { try sortLocalOnly() }
        } catch {
            note("Sync failed on this machine: \(error)")
        }
        pacing.planned(from: start, to: now)
        return pacing.nextPlan
    }

    /// The inner nil: they cannot be read until the file changes. The outer one: not now.
    private func rules(in file: UnreadRuleFile) -> [UInt8]?? {
        guard file.size <= IgnoreRules.largestFile else {
            note("A file of ignore rules is larger than 1 MiB: its rules do not count")
            return .some([])
        }
        do throws(Errno) {
            return .some(try tree.contents(of: file.node, at: 0, count: Int(file.size)))
        } catch {
            note("A file of ignore rules cannot be read: \(error)")
            return error == .ioError ? .some(nil) : nil
        }
    }
}
