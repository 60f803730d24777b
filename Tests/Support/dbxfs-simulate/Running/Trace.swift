import CSimulation
import DbxTestKit
import Foundation

/// Everything that happens in a run, as a hash that tells two runs apart, and as text where somebody wants to read it.
///
/// Sendable because one thread of a simulation runs at a time.
final class Trace: @unchecked Sendable {
    private let isPrinted: Bool
    private let showsDisks: Bool
    private(set) var hash: UInt64 = 0xCBF2_9CE4_8422_2325

    init(isPrinted: Bool) {
        self.isPrinted = isPrinted
        showsDisks = ProcessInfo.processInfo.environment["DBXFS_TRACE_DISKS"] != nil
    }

    func note(_ text: @autoclosure () -> String) {
        let text = text()
        mix(Array(text.utf8))
        mix(sim_now())
        if isPrinted { show(text) }
    }

    func note(disk: String, _ operation: DiskOperation) {
        mix(Int64(operation.kind.rawValue))
        mix(Array(operation.path.utf8))
        mix(operation.offset)
        mix(operation.length)
        mix(operation.bytes)
        if isPrinted, showsDisks { show("\(disk) \(operation)") }
    }

    private func show(_ text: String) {
        let seconds = Double(sim_now()) / 1e9
        print(String(format: "%12.6f ", seconds) + text)
    }

    private func mix(_ bytes: [UInt8]) { hash = bytes.withUnsafeBytes { sim_hash(hash, $0.baseAddress, $0.count) } }

    private func mix(_ number: Int64) {
        hash = withUnsafeBytes(of: number) { sim_hash(hash, $0.baseAddress, $0.count) }
    }
}
