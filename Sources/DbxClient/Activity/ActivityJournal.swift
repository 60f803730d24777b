package import DbxModel
import DbxSync
import DbxSystem
import Foundation

/// What sync did last, the newest few thousand records: in memory for those who ask, and in a file (JSON lines, the
/// older half beside it as `activity.1`) so that a restart forgets nothing. A file that cannot be written costs the
/// record of it, never the sync.
///
/// Sendable: guarded by its monitor, which is held while a line is written, by the engine's thread.
package final class ActivityJournal: Sendable {
    private struct State: Sendable {
        var records: [ActivityRecord] = []
        var lastNumber: Int64 = 0
        var fileBytes = 0
        var isStopped = false
    }

    private let path: String
    private let time: any TimeSource
    private let state: Monitor<State>

    private static let maximumRecords = 4_000
    private static let maximumFileBytes = 1 << 20

    package init(path: String, time: any TimeSource) {
        self.path = path
        self.time = time
        var start = State()
        start.records = Array((Self.read(path + ".1") + Self.read(path)).suffix(Self.maximumRecords))
        start.lastNumber = start.records.last?.number ?? 0
        start.fileBytes = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
        state = Monitor(start)
    }

    func add(_ direction: ActivityRecord.Direction, _ activities: [TreeActivity]) {
        guard !activities.isEmpty else { return }
        let now = time.now()
        state.update { state in
            let records = activities.enumerated().map { index, activity in
                ActivityRecord(
                    number: state.lastNumber + Int64(index) + 1, at: now, direction: direction, activity)
            }
            state.lastNumber += Int64(records.count)
            state.records = Array((state.records + records).suffix(Self.maximumRecords))
            write(records, &state)
        }
    }

    /// The newest `limit` records after `number`, oldest first. Where there are none yet it waits for one, as long as
    /// `patience` says.
    func records(after number: Int64, limit: Int, patience: Duration) -> [ActivityRecord] {
        let found = state.wait(timeout: patience) { state -> [ActivityRecord]? in
            let newer = state.records.filter { $0.number > number }
            return newer.isEmpty && !state.isStopped ? nil : newer
        }
        return Array((found ?? []).suffix(limit))
    }

    /// Those who wait are answered.
    package func stop() { state.update { $0.isStopped = true } }

    // MARK: The file

    private static func read(_ path: String) -> [ActivityRecord] {
        guard let data = FileManager.default.contents(atPath: path) else { return [] }
        let decoder = JSONDecoder()
        return data.split(separator: 0x0A).compactMap { try? decoder.decode(ActivityRecord.self, from: $0) }
    }

    private func write(_ records: [ActivityRecord], _ state: inout State) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var lines: [UInt8] = []
        for record in records {
            if let line = try? encoder.encode(record) { lines += [UInt8](line) + [0x0A] }
        }
        do {
            if state.fileBytes + lines.count > Self.maximumFileBytes {
                try? Paths.remove(path + ".1")
                try? FileManager.default.moveItem(atPath: path, toPath: path + ".1")
                state.fileBytes = 0
            }
            let file = try OpenFile(path: path, [.readWrite, .create])
            try file.write(lines, at: Int64(state.fileBytes))
            state.fileBytes += lines.count
        } catch {
            // The next records begin a new file.
            state.fileBytes = Self.maximumFileBytes
        }
    }
}
