import CSimulation
import CurlHTTP
import DbxClientAPI
import DbxModel
import DbxServerCore
import DbxServerStores
import DbxSystem
import DbxTestKit
import DbxWire
import Foundation

/// The server's machine: the real core on a simulated disk, and its crashes.
///
/// Sendable because one thread of a simulation runs at a time.
final class SimulatedServer: @unchecked Sendable {
    private let root: String
    private let trace: Trace
    private let entropy: SeededEntropy
    private let planted: Planted?
    private var server: Server?
    private var disk: WatchedDisk
    private var waiting: [WorkerThread] = []
    /// Another one after each start.
    private(set) var life = 0
    private var disks = 0
    var requests = 0
    var commitRequests = 0
    private(set) var internalErrors: [String] = []

    static let user = "ann"
    static let password = "correct horse"

    init(root: String, trace: Trace, entropy: SeededEntropy, planted: Planted?) throws {
        self.root = root
        self.trace = trace
        self.entropy = entropy
        self.planted = planted
        disk = try WatchedDisk(
            at: "\(root)/server-0", contents: SimulatedDisk(), label: "server", trace: trace, planted: planted)
        try start()
        _ = try running().addUser(name: Self.user, password: Self.password)
    }

    var isDown: Bool { server == nil || disk.isDead }

    private func configuration(in directory: String) -> ServerConfiguration {
        ServerConfiguration(
            dataDirectory: directory + "/data", version: "simulation", passwordCost: .cheap, time: SystemTime(),
            entropy: entropy, onInternalError: { [weak self] in self?.noteInternalError($0) })
    }

    private func noteInternalError(_ text: String) {
        trace.note("server: \(text)")
        if !disk.isDead { internalErrors.append(text) }
    }

    private func start() throws {
        sim_seed_sqlite(UInt32(truncatingIfNeeded: entropy.next()))
        let new = try Server.open(configuration(in: disk.path))
        try new.startServing()
        server = new
        life += 1
    }

    func running() throws -> Server {
        guard let server, !disk.isDead else {
            throw APIError(.transport(TransportError(.unreachable, "connection refused")))
        }
        return server
    }

    /// Does a request's work, all of it at one moment.
    func perform<Answer>(_ body: (Server) throws -> Answer) throws(APIError) -> Result<Answer, Problem> {
        guard let server, !disk.isDead else {
            throw APIError(.transport(TransportError(.unreachable, "connection refused")))
        }
        let result: Result<Answer, Problem>
        do {
            result = .success(try body(server))
        } catch let problem as Problem {
            result = .failure(problem)
        } catch {
            throw APIError(.garbage("\(error)"))
        }
        if disk.isDead { throw APIError(.transport(TransportError(.unreachable, "the server has died"))) }
        return result
    }

    func later(_ delay: Duration, _ body: @escaping () -> Void) {
        nonisolated(unsafe) let body = body
        let thread = try? WorkerThread(name: "sim-later") {
            sim_sleep(delay.nanoseconds)
            body()
        }
        if let thread { waiting.append(thread) }
    }

    // MARK: Faults

    func die(afterChanges count: Int) { disk.die(afterChanges: count) }
    func heal() { disk.heal() }

    /// What was running is gone; what a kill or a power cut leaves of the disk is there at the next start.
    func crash(losingPower: Bool) throws {
        disk.die()
        server = nil
        if losingPower {
            try replaceDisk(with: disk.afterPowerCut(entropy.element(of: SimulatedDisk.Fate.allCases), entropy))
        } else {
            disk.goOn()
        }
        trace.note("server starts again after a \(losingPower ? "power cut" : "kill")")
        try start()
    }

    /// A copy of all files as they are now.
    func backUp() -> SimulatedDisk { disk.copy(entropy) }

    /// The server starts with older data: by a restore, of which it knows, or by copying files, of which it does not.
    func putBack(_ backup: SimulatedDisk, isRestored: Bool) throws {
        disk.die()
        server = nil
        try replaceDisk(with: backup)
        if isRestored {
            let epoch = entropy.bytes(16)
            try SQLMetadataStore(sqliteFile: dataDirectory + "/metadata.db").write { try $0.startEpoch(epoch) }
        }
        trace.note("server starts again with older data")
        try start()
    }

    func forgetRemovals() throws { try ForgottenRemovals.make(in: dataDirectory) }

    private var dataDirectory: String { disk.path + "/data" }

    private func replaceDisk(with contents: SimulatedDisk) throws {
        let new = try WatchedDisk(
            at: "\(root)/server-\(life)-\(disks)", contents: contents, label: "server", trace: trace, planted: planted)
        disk.remove()
        disk = new
        disks += 1
    }

    func shutdown() {
        for thread in waiting { thread.join() }
        waiting = []
        disk.die()
        server = nil
        disk.remove()
    }
}

extension Duration {
    var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
