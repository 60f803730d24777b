import CSimulation
import DbxTestKit
import Foundation
import Glibc

/// A directory in memory that stands for a machine's disk: all that is done to it is also done to a `SimulatedDisk`, which
/// knows what a power cut would leave. After its death nothing on it changes any more.
///
/// Sendable because one thread of a simulation runs at a time.
final class WatchedDisk: @unchecked Sendable {
    let path: String
    private var disk: SimulatedDisk
    private let trace: Trace
    private let label: String
    private let planted: Planted?
    private(set) var isDead = false
    /// How many changes more until it dies.
    private var changesLeft: Int?
    private var fault: (code: Int32, changes: Int)?

    init(at path: String, contents: SimulatedDisk, label: String, trace: Trace, planted: Planted?) throws {
        self.path = path
        self.label = label
        self.trace = trace
        self.planted = planted
        disk = contents
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try contents.write(to: path)
        let context = Unmanaged.passUnretained(self).toOpaque()
        sim_watch(
            path,
            { context, operation in
                guard let context, let operation else { return EIO }
                return Unmanaged<WatchedDisk>.fromOpaque(context).takeUnretainedValue().take(operation.pointee)
            }, context)
    }

    func remove() {
        sim_unwatch(path)
        try? FileManager.default.removeItem(atPath: path)
    }

    // MARK: Dying

    func die() { isDead = true }

    func die(afterChanges count: Int) { changesLeft = count }

    /// What only a process's death has ended goes on: the kernel still has everything that was written.
    func goOn() {
        isDead = false
        changesLeft = nil
    }

    /// The next changes fail.
    func fail(_ code: Int32, changes: Int) { fault = (code, changes) }

    func heal() {
        fault = nil
        if !isDead { changesLeft = nil }
    }

    func afterPowerCut(_ fate: SimulatedDisk.Fate, _ entropy: SeededEntropy) -> SimulatedDisk {
        disk.afterPowerCut(fate, entropy)
    }

    /// All that has been written until now.
    func copy(_ entropy: SeededEntropy) -> SimulatedDisk { disk.afterPowerCut(.everything, entropy) }

    // MARK: Changes

    private func take(_ operation: sim_operation) -> Int32 {
        guard let kind = DiskOperation.Kind(rawValue: UInt64(operation.kind)) else { return EIO }
        let isChange = kind != .open && kind != .close
        if isDead { return isChange ? EIO : 0 }
        if isChange, let code = failure(kind) { return code }
        if kind == .sync, planted?.ignoresSync(of: String(cString: operation.path), on: label) == true { return 0 }
        let bytes =
            operation.bytes.map { [UInt8](UnsafeRawBufferPointer(start: $0, count: Int(operation.length))) } ?? []
        let record = DiskOperation(
            kind: kind, handle: operation.handle, offset: operation.offset, length: operation.length,
            path: String(cString: operation.path), otherPath: String(cString: operation.other_path), bytes: bytes,
            end: 0)
        trace.note(disk: label, record)
        do {
            try disk.apply(record)
        } catch {
            // A disk that is not as the programs left it would judge them wrongly: no verdict is better.
            fatalError("the simulated disk lost track: \(error)")
        }
        return 0
    }

    /// With what a change fails, if it does.
    private func failure(_ kind: DiskOperation.Kind) -> Int32? {
        if let left = changesLeft {
            changesLeft = left - 1
            if left <= 0 {
                isDead = true
                return EIO
            }
        }
        guard let (code, changes) = fault else { return nil }
        fault = changes > 1 ? (code, changes - 1) : nil
        return code
    }
}
