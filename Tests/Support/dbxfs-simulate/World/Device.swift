import CSimulation
import DbxClient
import DbxClientAPI
import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxServerCore
import DbxSync
import DbxSystem
import DbxTestKit
import DbxWire

/// One computer: a disk, a link, and one life of the client after the other.
///
/// Sendable because one thread of a simulation runs at a time.
final class Device: @unchecked Sendable {
    let name: String
    let link: Link
    let entropy: SeededEntropy
    let clock = WallClock()
    private let root: String
    private let host: SimulatedServer
    private let trace: Trace
    private let planted: Planted?
    /// Beyond so many entries only what programs look into is listed.
    private let treeLimit: Int
    private let guardSettings: MassChangeGuard.Settings
    private let merges: Ledger?
    private(set) var login: Login?
    private(set) var life: DeviceLife?
    private(set) var disk: WatchedDisk
    private var lives = 0
    private var boot: UInt8 = 1
    /// Programs that are in the middle of a call.
    private let callers = Monitor(0)
    private let starters = Monitor(0)
    private let isEnding = Monitor(false)

    init(
        _ name: String, root: String, host: SimulatedServer, entropy: SeededEntropy,
        guardSettings: MassChangeGuard.Settings, merges: Ledger?, trace: Trace, planted: Planted?
    ) throws {
        self.merges = merges
        self.guardSettings = guardSettings
        self.name = name
        self.root = root
        self.host = host
        self.entropy = entropy
        self.trace = trace
        self.planted = planted
        treeLimit = entropy.element(of: [0, 0, 10, 1_000_000])
        link = Link(entropy: SeededEntropy(seed: entropy.next()))
        disk = try WatchedDisk(
            at: "\(root)/\(name)-0", contents: SimulatedDisk(), label: name, trace: trace, planted: planted)
    }

    var isUp: Bool { life != nil && !disk.isDead }

    // MARK: Life

    private func api(_ connectivity: Connectivity?, token: String?) -> SimulatedAPI {
        let disk = disk
        return SimulatedAPI(
            host: host, link: link, name: name, token: token, observer: connectivity, trace: trace, planted: planted,
            isDead: { disk.isDead })
    }

    /// `dbxfs login`: a new token for the tree that is here.
    func logIn() throws {
        let first = api(nil, token: nil)
        let answer = try first.login(
            LoginRequest(user: SimulatedServer.user, password: SimulatedServer.password, device: name))
        let session = try api(nil, token: answer.token).session(cancel: nil)
        login = Login(token: answer.token, session: session)
    }

    /// `dbxfs mount`, tried until it works: false where the machine died over it.
    func start() throws -> Bool {
        starters.update { $0 += 1 }
        defer { starters.update { $0 -= 1 } }
        let disk = disk
        var failures = 0
        while !disk.isDead {
            // Somebody else has started it.
            if isUp { return true }
            do {
                if login == nil { try logIn() }
                try bring(newLife(), to: disk)
                if life != nil { return true }
            } catch {
                trace.note("\(name) cannot start: \(error)")
                // Revoked meanwhile: a person logs in again.
                if (error as? APIError)?.meaning == .loggedOut { login = nil }
                // A disk that fails now and then: a person tries again.
                failures += error is APIError ? 0 : 1
                if !disk.isDead, failures > 20 { throw error }
                sim_sleep(Duration.seconds(2).nanoseconds)
            }
        }
        return false
    }

    private func bring(_ new: DeviceLife, to disk: WatchedDisk) throws {
        do { try new.start() } catch {
            new.end()
            throw error
        }
        if disk.isDead { return new.end() }
        life = new
        trace.note("\(name) is up")
    }

    private func newLife() throws -> DeviceLife {
        guard let login else { throw Violation("not logged in") }
        let connectivity = Connectivity(time: SystemTime(), entropy: entropy)
        return try DeviceLife(
            name: name, login: login, disk: disk, boot: [boot], api: api(connectivity, token: login.token),
            connectivity: connectivity, time: clock, entropy: entropy, treeLimit: treeLimit,
            guardSettings: guardSettings, merges: merges, trace: trace)
    }

    /// Unmounts and ends in order.
    func stop() {
        waitForPrograms()
        endLife()
    }

    /// One at a time: a crash may come while it is being unmounted.
    private func endLife() {
        _ = isEnding.wait { isEnding in
            if isEnding { return nil as Bool? }
            isEnding = true
            return true
        }
        life?.end()
        life = nil
        isEnding.update { $0 = false }
    }

    /// What was running is gone; what a kill or a power cut leaves of the disk is there for the next life.
    func crash(losingPower: Bool) throws {
        disk.die()
        life?.giveUpReads()
        waitForPrograms()
        _ = starters.wait { $0 == 0 ? true : nil }
        endLife()
        trace.note("\(name) has died by a \(losingPower ? "power cut" : "kill")")
        if losingPower { try losePower() } else { disk.goOn() }
        if planted == .commitNotKept { try forgetCommit() }
    }

    private func losePower() throws {
        let left = disk.afterPowerCut(entropy.element(of: SimulatedDisk.Fate.allCases), entropy)
        boot &+= 1
        lives += 1
        let new = try WatchedDisk(
            at: "\(root)/\(name)-\(lives)", contents: left, label: name, trace: trace, planted: planted)
        disk.remove()
        disk = new
    }

    private func forgetCommit() throws {
        guard let login else { return }
        let store = try LocalStore(
            StoreConfiguration(directory: disk.path + "/store", freeSpaceFloorBytes: 0), time: SystemTime(),
            entropy: entropy, boot: [boot])
        try store.makeRoot(login.session.namespaces[0].rootNode, now: SystemTime().now())
        while let commit = try store.commitInFlight() { try store.removeCommit(commit.id) }
        let ticket = try store.beginEpoch()
        try ticket.sync(store.segments)
        store.finishEpoch(ticket)
    }

    /// The token does not count any more; a person notices and logs in again.
    func revoke() throws {
        guard let login else { return }
        let server = try host.running()
        try server.revokeDevice(server.authenticate(token: login.token), device: login.session.device)
    }

    func logInAgain() throws {
        stop()
        login = nil
        _ = try start()
    }

    var isLoggedOut: Bool {
        guard let login, let server = try? host.running() else { return false }
        return (try? server.authenticate(token: login.token)) == nil
    }

    func forgetLogin() { login = nil }

    // MARK: Programs

    /// Runs a program's call if the device is up.
    func run(_ body: (FileSystem) throws -> Void) rethrows {
        guard isUp, let fileSystem = life?.fileSystem else { return }
        callers.update { $0 += 1 }
        defer { callers.update { $0 -= 1 } }
        try body(fileSystem)
    }

    /// `dbxfs evict` of the whole mount.
    func evictEverything() throws {
        guard isUp, let life else { return }
        try run { fileSystem in
            try life.shared.withStore { store in
                var walk = ContentWalk([try store.node(InodeNumber.root)].compactMap(\.self))
                while let files = try walk.step(store) {
                    for block in files.flatMap(\.blocks) { _ = try store.evict(block.number) }
                }
            }
            try? fileSystem.synchronizeEverything()
        }
    }

    private func waitForPrograms() { _ = callers.wait { $0 == 0 ? true : nil } }

    func remove() { disk.remove() }

    /// Opens what a life has left and looks at it.
    func check() throws -> [StoreProblem] {
        let store = try LocalStore(
            StoreConfiguration(directory: disk.path + "/store", freeSpaceFloorBytes: 0), time: SystemTime(),
            entropy: entropy, boot: [boot])
        return try store.check(repairs: false)
    }
}
