import CSimulation
import Foundation
import DbxClient
import DbxLocalStore
import DbxModel
import DbxServerCore
import DbxSystem
import DbxTestKit

/// Whether all is well once nothing is broken any more.
struct Verdict {
    private let simulation: Simulation
    /// Of simulated time, from the end of all faults until everything is everywhere.
    private static let patience: Duration = .seconds(1_800)

    init(_ simulation: Simulation) { self.simulation = simulation }

    func check() throws {
        try waitUntilQuiet()
        try checkThatNothingGoesOn()
        let newcomer = try simulation.addNewcomer()
        let countsLinks = !simulation.plan.hasRules
        let expected = try TreeImage(of: newcomer, countsLinks: countsLinks)
        var present = expected.contents
        for device in simulation.devices where device !== newcomer {
            let shown = try image(of: device, countsLinks: countsLinks)
            present.formUnion(shown.localContents)
            let differences = shown.differences(from: expected)
            guard differences.isEmpty else {
                throw Violation(
                    "\(device.name) and the server differ: \(differences.prefix(5).joined(separator: "; "))")
            }
        }
        let lost = simulation.ledger.lost(present: present)
        guard lost.isEmpty else { throw Violation("lost: \(lost.prefix(5).joined(separator: "; "))") }
        let copies = expected.paths.filter { $0.contains("conflicted copy") }
        guard !simulation.plan.isSolo || copies.isEmpty else { throw Violation("in conflict with itself: \(copies)") }
        let doubled = expected.paths.filter {
            $0.split(separator: "/").last?.components(separatedBy: "conflicted copy").count ?? 0 > 2
        }
        guard doubled.isEmpty else { throw Violation("a conflict of a conflict: \(doubled)") }
        try checkStores()
    }

    /// Reading lists what is not known yet, and so may bring back directories that are to be compared first. The crawler may
    /// have done so by the time that the walk ends, so that one image alone does not tell.
    private func image(of device: Device, countsLinks: Bool) throws -> TreeImage {
        var last: TreeImage?
        for _ in 0..<120 {
            let image = try TreeImage(of: device, countsLinks: countsLinks)
            let left = try device.life?.shared.withStore { store in try store.staleDirectories(limit: 1) }
            if left?.isEmpty ?? true, let last, image.differences(from: last).isEmpty { return image }
            last = image
            sim_sleep(Duration.seconds(1).nanoseconds)
        }
        throw Violation("\(device.name) never stops comparing folders, or changes without a cause")
    }

    // MARK: Rest

    private func waitUntilQuiet() throws {
        let end = sim_now() + Self.patience.nanoseconds
        var quietFor = 0
        var commits = -1
        while quietFor < 3 {
            guard sim_now() < end else { throw Violation("never at rest: \(pending())") }
            sim_sleep(Duration.seconds(2).nanoseconds)
            // In the end somebody looks after what is held back.
            for device in simulation.devices { simulation.decide(device, undoing: simulation.seed % 20 == 4) }
            let isQuiet = pending().isEmpty && commits == simulation.host.commitRequests
            quietFor = isQuiet ? quietFor + 1 : 0
            commits = simulation.host.commitRequests
        }
    }

    private func pending() -> [String] {
        simulation.devices.compactMap { device in
            guard let life = device.life else { return "\(device.name) is down" }
            let pending = life.engine.pending()
            let merges = life.mergesPending
            if !merges.isEmpty { return "\(device.name): merges \(merges)" }
            return pending.files == 0
                ? nil
                : "\(device.name): \(pending.files) files, \(life.connectivity.status.state), \(rows(of: life))"
        }
    }

    /// Some of what waits.
    private func rows(of life: DeviceLife) -> [String] {
        life.shared.withStore { store in
            let entries = (try? store.dirtyEntries(limit: 3, afterChange: 0)) ?? []
            let nodes = (try? store.dirtyNodes(limit: 3, afterChange: 0)) ?? []
            return entries.map { entry in
                let parent = (try? store.node(entry.parentID)) ?? nil
                return "\(entry) in \(parent.map { "\($0.knowledge)" } ?? "nothing")"
            } + nodes.map { "\($0) under \((try? store.entries(of: $0.number)) ?? [])" }
        }
    }

    /// Requests that nothing asks for would be a loop.
    private func checkThatNothingGoesOn() throws {
        let commits = simulation.host.commitRequests
        let requests = simulation.host.requests
        sim_sleep(Duration.seconds(60).nanoseconds)
        guard simulation.host.commitRequests == commits else { throw Violation("commits go on when all is done") }
        let more = simulation.host.requests - requests
        guard more <= simulation.devices.count * 6 else { throw Violation("\(more) requests in a minute of rest") }
    }

    // MARK: What is stored

    private func checkStores() throws {
        let report = try simulation.host.running().check()
        guard report.problems.isEmpty else { throw Violation("the server's check: \(report.problems)") }
        for device in simulation.devices {
            device.stop()
            // Cached blocks are synced with nothing: their checksums tell.
            let problems = try device.check().filter { $0.kind != .cache }
            guard problems.isEmpty else { throw Violation("\(device.name)'s check: \(problems.map(\.text))") }
        }
        let errors = simulation.host.internalErrors
        guard errors.isEmpty else { throw Violation("the server failed within: \(errors[0])") }
    }
}
