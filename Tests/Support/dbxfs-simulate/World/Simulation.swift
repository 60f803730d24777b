import CSimulation
import DbxClient
import DbxFileSystem
import DbxLocalStore
import DbxServerCore
import DbxModel
import DbxSync
import DbxSystem
import DbxTestKit
import Foundation

/// Something that must not be.
struct Violation: Error, CustomStringConvertible {
    var description: String
    init(_ text: String) { description = text }
}

/// One run: devices, a server, what happens to them, and whether all is well in the end. On one thread's time; the whole
/// of it follows from the seed.
///
/// Sendable because one thread of a simulation runs at a time.
final class Simulation: @unchecked Sendable {
    let seed: UInt64
    let plan: Plan
    let trace: Trace
    let ledger = Ledger()
    let root: String
    private(set) var host: SimulatedServer
    private(set) var devices: [Device] = []
    private let planted: Planted?
    private let entropy: SeededEntropy
    private var chores: [WorkerThread] = []
    private var wrongs: [String] = []

    static let preemption: Int32 = 20

    init(seed: UInt64, plan: Plan, root: String, trace: Trace, planted: Planted?) throws {
        self.seed = seed
        self.plan = plan
        self.root = root
        self.trace = trace
        self.planted = planted
        entropy = SeededEntropy(seed: seed &* 0x9E37_79B9_7F4A_7C15)
        host = try SimulatedServer(
            root: root, trace: trace, entropy: SeededEntropy(seed: entropy.next()), planted: planted)
        for name in ["red", "green", "blue", "black", "white"].prefix(plan.devices) { devices.append(try device(name)) }
    }

    func device(_ name: String) throws -> Device {
        try Device(
            name, root: root, host: host, entropy: SeededEntropy(seed: entropy.next()),
            guardSettings: guardSettings, merges: plan.merges ? ledger : nil, trace: trace, planted: planted)
    }

    private var guardSettings: MassChangeGuard.Settings {
        var settings = MassChangeGuard.Settings()
        if plan.isGuarded {
            (settings.minimum, settings.share, settings.age) = (2, 0, .zero)
            (settings.quiet, settings.longestGathering) = (.seconds(1), .seconds(5))
        }
        return settings
    }

    /// One more device, which knows nothing.
    func addNewcomer() throws -> Device {
        let new = try device("newcomer")
        devices.append(new)
        guard try new.start() else { throw Violation("a new device does not start") }
        return new
    }

    func wrong(_ text: String) {
        trace.note("WRONG: \(text)")
        wrongs.append(text)
    }

    // MARK: The run

    func run() throws {
        sim_set_preemption(Self.preemption)
        for device in devices { guard try device.start() else { throw Violation("\(device.name) does not start") } }
        let programs = try devices.indices.map { index in
            try WorkerThread(name: "program-\(index)") { [self] in runPrograms(of: index) }
        }
        for step in plan.steps {
            guard case .fault(let fault) = step.action else { continue }
            sleep(until: step.at)
            try carryOut(fault, SeededEntropy(seed: step.seed))
        }
        for thread in programs { thread.join() }
        for chore in chores { chore.join() }
        if let first = wrongs.first { throw Violation(first) }
        try heal()
        try Verdict(self).check()
        if let first = wrongs.first { throw Violation(first) }
    }

    func shutdown() {
        for device in devices {
            device.stop()
            device.remove()
        }
        host.shutdown()
    }

    private func sleep(until moment: Duration) { sim_sleep(moment.nanoseconds - sim_now()) }

    // MARK: Programs

    private func runPrograms(of index: Int) {
        let device = devices[index]
        for step in plan.steps {
            guard case .program(index, let kind) = step.action else { continue }
            sleep(until: step.at)
            guard device.isUp, let shared = device.life?.shared, let login = device.login else { continue }
            device.run { fileSystem in
                let program = Program(
                    device: device, fileSystem: fileSystem, ledger: ledger,
                    oracle: Oracle(host: host, login: login, shared: shared), entropy: SeededEntropy(seed: step.seed),
                    trace: trace, stamp: "\(device.name) \(step.index)")
                do {
                    try program.run(kind)
                    trace.note("\(device.name) [\(step.index)] \(kind)")
                } catch let error as Errno {
                    trace.note("\(device.name) [\(step.index)] \(kind): \(error)")
                } catch {
                    wrong("\(device.name) [\(step.index)] \(kind): \(error)")
                }
            }
        }
    }

    // MARK: Faults

    private func later(_ delay: Duration, _ body: @escaping @Sendable () throws -> Void) throws {
        chores.append(
            try WorkerThread(name: "chore") { [self] in
                sim_sleep(delay.nanoseconds)
                do { try body() } catch { wrong("\(error)") }
            })
    }

    private func carryOut(_ fault: Plan.Fault, _ entropy: SeededEntropy) throws {
        trace.note("fault: \(fault)")
        switch fault {
        case .link(let index, let condition, let duration):
            let link = devices[index].link
            link.become(condition)
            try later(duration) { if link.condition == condition { link.become(.good) } }
        case .kill(let index): try crash(devices[index], losingPower: false)
        case .powerCut(let index, let count):
            devices[index].disk.die(afterChanges: count)
            for _ in 0..<20 where !devices[index].disk.isDead { sim_sleep(100_000_000) }
            try crash(devices[index], losingPower: true)
        case .badDisk(let index, let noSpace, let changes):
            devices[index].disk.fail(noSpace ? ENOSPC : EIO, changes: changes)
        case .revoke(let index, let duration):
            let device = devices[index]
            guard device.isUp, !host.isDown, !device.isLoggedOut else { return }
            try device.revoke()
            try later(duration) { if device.isUp { try device.logInAgain() } }
        case .killServer: try host.crash(losingPower: false)
        case .serverPowerCut(let count):
            host.die(afterChanges: count)
            for _ in 0..<20 where !host.isDown { sim_sleep(100_000_000) }
            try host.crash(losingPower: true)
        case .quota(let bytes, let duration):
            try limit(to: bytes)
            try later(duration) { [self] in try limit(to: nil) }
        case .restore(let isRestored, let delay):
            guard !host.isDown else { return }
            let backup = host.backUp()
            try later(delay) { [self] in try putBack(backup, isRestored: isRestored) }
        case .forget:
            guard !host.isDown else { return }
            try host.forgetRemovals()
        case .pause(let index, let duration):
            devices[index].life?.engine.pauseAsTold(by: TransferSettings(isPaused: true))
            try later(duration) { [self] in devices[index].life?.engine.pauseAsTold(by: TransferSettings()) }
        case .metered(let index, let duration):
            devices[index].life?.engine.setMetered(true)
            try later(duration) { [self] in devices[index].life?.engine.setMetered(false) }
        case .evict(let index):
            do { try devices[index].evictEverything() } catch let error as StoreError {
                trace.note("\(devices[index].name) evicts nothing: \(error)")
            }
        case .clock(let index, let step): devices[index].clock.advance(by: step)
        case .decide(let index, let undoes): decide(devices[index], undoing: undoes)
        }
    }

    /// `dbxfs guard`, where something is held back. What is undone, somebody means to lose: where nobody can tell what that
    /// is, nothing is.
    func decide(_ device: Device, undoing: Bool) {
        guard device.isUp, let life = device.life, let login = device.login, life.engine.guarded != nil else { return }
        if undoing {
            let oracle = Oracle(host: host, login: login, shared: life.shared)
            guard let written = oracle.contentsWritten() else { return }
            for content in written {
                ledger.note(device.name, made: nil, replacing: content, hasSucceeded: true, "undo")
            }
        }
        let answer = try? life.engine.answerGuard(undoing ? .undo : .confirm)
        trace.note("\(device.name) \(undoing ? "undoes" : "confirms"): \(answer.map { "\($0 as Any)" } ?? "nothing")")
    }

    /// What no device holds may be gone with the newer data of the server.
    private func putBack(_ backup: SimulatedDisk, isRestored: Bool) throws {
        var holders: [String: Set<Ledger.Content>] = [:]
        for device in devices where device.isUp {
            guard let shared = device.life?.shared, let login = device.login else { continue }
            holders[device.name] = Oracle(host: host, login: login, shared: shared).contentsHere()
        }
        ledger.serverWentBack(holders)
        try host.putBack(backup, isRestored: isRestored)
    }

    /// The server's power may go in the middle of it.
    private func limit(to bytes: Int64?) throws {
        guard !host.isDown else { return }
        do { try host.running().setQuota(name: SimulatedServer.user, limitBytes: bytes) } catch {
            guard host.isDown else { throw error }
        }
    }

    private func crash(_ device: Device, losingPower: Bool) throws {
        // Not while it is being started or logged in anew.
        guard device.isUp || device.disk.isDead else { return }
        try device.crash(losingPower: losingPower)
        if losingPower { ledger.lostPower(device.name) }
        sim_sleep(Int64(device.entropy.number(below: 3_000)) * 1_000_000)
        try later(.zero) { _ = try device.start() }
    }

    /// The end of all faults.
    private func heal() throws {
        trace.note("heal")
        for device in devices {
            device.link.become(.good)
            device.disk.heal()
        }
        host.heal()
        if host.isDown { try host.crash(losingPower: false) }
        try host.running().setQuota(name: SimulatedServer.user, limitBytes: nil)
        for (index, device) in devices.enumerated() {
            if plan.goesOn, device.isUp, !device.isLoggedOut, !plan.failsDisk(of: index) { continue }
            // A disk that failed leaves a daemon that trusts its store no more: a person starts it again. And who was
            // logged out logs in.
            device.stop()
            ledger.becameDurable(device.name)
            if device.disk.isDead { try device.crash(losingPower: false) }
            if device.isLoggedOut { device.forgetLogin() }
            guard try device.start() else { throw Violation("\(device.name) does not start") }
        }
        // Who was cut off without a word notices after 45 seconds that it hears no news.
        if plan.goesOn { sim_sleep(Duration.seconds(60).nanoseconds) }
    }
}
