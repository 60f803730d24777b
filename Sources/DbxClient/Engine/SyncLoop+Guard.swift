import DbxLocalStore
import DbxModel
import DbxSync
import DbxWire
import Logging

/// The mass-change guard at work: judged with every plan, answered by a person.
extension SyncLoop {
    static func guardRecord(in store: LocalStore) -> MassChangeGuard.Record? {
        guard let bytes = (try? store.meta(SyncMeta.massChange)) ?? nil else { return nil }
        return try? WireJSON.decode(MassChangeGuard.Record.self, from: bytes)
    }

    /// What is held back now; nil: nothing. With the store's lock held.
    func holdRule(in store: LocalStore, wall: Timestamp) throws -> HoldRule? {
        let before = massChanges.record
        if try store.meta(SyncMeta.restoring) == nil { massChanges.endUndo() }
        let rule = massChanges.rule(wall: wall)
        let pending = try store.endangered(bornBefore: rule.bornBefore, afterChange: rule.confirmedChange)
        let verdict = try massChanges.judge(pending: pending, now: now, wall: wall) { limit throws(StoreError) in
            try store.agreedNodeCount(upTo: limit)
        }
        try keepGuard(in: store, before)
        judgedAgainAt = nil
        guard case .hold(let held, let until) = verdict else { return nil }
        judgedAgainAt = until
        return held
    }

    private func keepGuard(in store: LocalStore, _ before: MassChangeGuard.Record) throws {
        let record = massChanges.record
        guard record != before else { return }
        if record.trip == nil || before.trip == nil || record.trip?.isUndoing != before.trip?.isUndoing
            || record.confirmedChange != before.confirmedChange
        {
            try store.setMeta(SyncMeta.massChange, WireJSON.encode(record))
        }
        showGuard()
        if let trip = record.trip, before.trip == nil {
            let text =
                "\(trip.changes) deletions and rewrites are held back from the server. Run “dbxfs guard confirm” or “dbxfs guard undo”."
            parts.log.warning("\(text)")
            parts.tellUser?(text)
        }
    }

    func showGuard() {
        let trip = massChanges.record.trip
        report.update { state in
            state.guarded = trip.map { trip in
                GuardStatus(changes: trip.changes, since: trip.at, isUndoing: trip.isUndoing)
            }
        }
    }

    /// `change`: the store's counter when somebody decided: what was done since is to be judged by itself.
    func answerGuard(_ answer: GuardAnswer, upTo change: Int64) {
        guard let trip = massChanges.record.trip else { return }
        do {
            switch answer {
            case .confirm:
                try store { store throws(StoreError) in
                    massChanges.confirm(change: change)
                    try saveGuard(in: store)
                }
                parts.log.notice("\(trip.changes) deletions and rewrites were confirmed")
            case .undo:
                let changes = try store { store throws(StoreError) in
                    let changes = try MassChangeUndo.perform(
                        trip.rule, upTo: change, in: store, device: parts.device, now: parts.time.now(),
                        isBusy: { [tree] in tree.openForWriting($0) })
                    massChanges.beginUndo()
                    try saveGuard(in: store)
                    return changes
                }
                tree.apply(changes: changes)
                uploads?.cancelAll()
                mustPull = true
                parts.log.notice("\(trip.changes) deletions and rewrites are being undone")
            }
        } catch {
            note("Sync failed on this machine: \(error)")
        }
        showGuard()
        pacing.planNow()
    }

    private func saveGuard(in store: LocalStore) throws(StoreError) {
        guard let bytes = try? WireJSON.encode(massChanges.record) else { return }
        try store.setMeta(SyncMeta.massChange, bytes)
    }
}
