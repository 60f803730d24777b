import DbxModel
import DbxServerCore
import DbxTestKit
import DbxWire
import Testing

/// Accounts, devices, and what administrators do.
@Suite(.timeLimit(.minutes(1)))
struct AccountTests {
    private let fixture: TestServer
    private let device: TestDevice
    private var server: Server { fixture.server }

    init() throws {
        fixture = try TestServer()
        device = try fixture.newDevice()
    }

    private func logIn(_ user: String = "ada", _ password: String = "secret", from address: String = "10.0.0.1")
        -> Result<LoginResponse, Problem>
    {
        Result { () throws(Problem) in
            try server.login(LoginRequest(user: user, password: password, device: "d"), address: address)
        }
    }

    private func problem<Answer>(_ result: Result<Answer, Problem>) -> Problem? {
        if case .failure(let problem) = result { problem } else { nil }
    }

    private func authenticationProblem() -> ProblemKind? {
        problem(Result { () throws(Problem) in try server.authenticate(token: device.token) })?.kind
    }

    @Test("wrong passwords and unknown users are answered alike")
    func wrongPassword() {
        let wrong = problem(logIn("ada", "wrong"))
        #expect(wrong?.kind == .unauthenticated)
        #expect(problem(logIn("nobody", "wrong")) == wrong)
    }

    @Test("guessing is slowed down, for that user from that address only")
    func guessing() {
        var kinds = (0..<8).map { _ in problem(logIn("ada", "wrong"))?.kind }
        #expect(kinds.prefix(5).allSatisfy { $0 == .unauthenticated })
        #expect(kinds.suffix(3).allSatisfy { $0 == .tooManyRequests })
        #expect(problem(logIn())?.kind == .tooManyRequests)
        #expect(problem(logIn(from: "10.0.0.2")) == nil)
        fixture.time.advance(by: .seconds(2))
        kinds = (0..<2).map { _ in problem(logIn("ada", "wrong"))?.kind }
        #expect(kinds == [.unauthenticated, .tooManyRequests])
        fixture.time.advance(by: .seconds(1_000))
        #expect(problem(logIn()) == nil)
    }

    @Test("tokens that nobody was given are refused", arguments: ["", "x", String(repeating: "A", count: 43)])
    func badTokens(_ token: String) {
        #expect(
            problem(Result { () throws(Problem) in try server.authenticate(token: token) })?.kind == .unauthenticated)
    }

    @Test("a revoked device is refused at once, and its streams end")
    func revoked() throws {
        let received = Received()
        let desktop = try fixture.logIn(device: "desktop")
        let subscription = try server.subscribe(device.caller) { received.append($0) }
        try server.revokeDevice(desktop.caller, device: device.caller.device)
        #expect(authenticationProblem() == .unauthenticated)
        #expect(received.events == [.ended])
        let file = device.node(.file)
        #expect(try device.refusal([file], [device.entry(device.root, "a", file.id)])?.kind == .unauthenticated)
        #expect(throws: Problem.self) { try device.pages() }
        #expect(try server.devices(desktop.caller).map(\.name) == ["desktop"])
        subscription.cancel()
        #expect(server.events.listenerCount == 0)
    }

    @Test("a disabled user is refused at once and comes back when enabled")
    func disabled() throws {
        try server.disableUser(name: "ada")
        #expect(authenticationProblem() == .unauthenticated)
        #expect(throws: Problem.self) { try server.session(device.caller) }
        #expect(problem(logIn())?.kind == .forbidden)
        try server.enableUser(name: "ada")
        #expect(authenticationProblem() == nil)
    }

    @Test("one user's devices are not another's to revoke")
    func othersDevices() throws {
        let bob = try fixture.newDevice("bob")
        #expect(throws: Problem.self) { try server.revokeDevice(bob.caller, device: device.caller.device) }
        #expect(authenticationProblem() == nil)
    }

    @Test("a namespace of somebody else is answered as one that does not exist")
    func othersNamespace() throws {
        let bob = try fixture.newDevice("bob")
        func answer(_ namespace: NamespaceID) -> Problem? {
            problem(
                Result { () throws(Problem) in
                    try server.changes(bob.caller, namespace: namespace, cursor: nil, limit: nil)
                })
        }
        #expect(answer(device.namespace)?.kind == .notFound)
        #expect(answer(device.namespace) == answer(NamespaceID(from: fixture.entropy)))
    }

    @Test("a new password ends the devices where asked")
    func newPassword() throws {
        try server.setPassword(name: "ada", password: "other", revokeDevices: false)
        #expect(authenticationProblem() == nil)
        #expect(problem(logIn())?.kind == .unauthenticated)
        try server.setPassword(name: "ada", password: "third", revokeDevices: true)
        #expect(authenticationProblem() == .unauthenticated)
        #expect(problem(logIn("ada", "third")) == nil)
    }

    /// Does something once, between two steps of a server that draws from it. Sendable because one thread of a test uses it.
    private final class Interruption: Entropy, @unchecked Sendable {
        private let numbers = SeededEntropy(seed: 4)
        var body: (() throws -> Void)?

        func next() -> UInt64 {
            if let body = body.take() { try? body() }
            return numbers.next()
        }
    }

    @Test("a password that was changed while it was compared logs nobody in")
    func changedMeanwhile() throws {
        let interruption = Interruption()
        let directory = TemporaryDirectory()
        let server = try Server.open(
            ServerConfiguration(
                dataDirectory: directory.path + "/data", version: "test", passwordCost: .cheap, time: FakeTime(),
                entropy: interruption))
        _ = try server.addUser(name: "ada", password: "secret", limitBytes: nil)
        let login = LoginRequest(user: "ada", password: "secret", device: "thief")
        interruption.body = { try server.setPassword(name: "ada", password: "new", revokeDevices: true) }
        #expect(throws: Problem.self) { try server.login(login, address: "here") }
        #expect(interruption.body == nil)
        let mine = LoginRequest(user: "ada", password: "new", device: "mine")
        interruption.body = { try server.disableUser(name: "ada") }
        #expect(throws: Problem.self) { try server.login(mine, address: "here") }
    }

    @Test("keys of a session are those of every session, and differ between users")
    func keys() throws {
        let mine = try server.session(device.caller).namespaces[0].keys
        let again = try TestServer(directory: fixture.directory, seed: 3)
        #expect(try again.server.session(again.server.authenticate(token: device.token)).namespaces[0].keys == mine)
        let bob = try fixture.newDevice("bob")
        let other = try server.session(bob.caller).namespaces[0].keys
        #expect(other.wrapKeys != mine.wrapKeys)
        #expect(other.convergenceKey == mine.convergenceKey)
        #expect(mine.wrapKeys.first?.key.bytes.count == 32)
    }

    @Test(
        "names and passwords that cannot be are refused", arguments: [("", "x"), ("a b", "x"), ("a\n", "x"), ("a", "")])
    func badNames(_ name: String, _ password: String) {
        #expect(throws: ServerError.self) { try server.addUser(name: name, password: password) }
        #expect(throws: ServerError.self) { try server.addUser(name: "ada", password: "x") }
        #expect(throws: ServerError.self) { try server.setQuota(name: "nobody", limitBytes: 1) }
    }

    @Test("last seen is written once a minute at most")
    func lastSeen() throws {
        let first = try #require(try server.devices(device.caller).first).lastSeenAt
        fixture.time.advance(by: .seconds(30))
        _ = try server.authenticate(token: device.token)
        #expect(try server.devices(device.caller).first?.lastSeenAt == first)
        fixture.time.advance(by: .seconds(31))
        _ = try server.authenticate(token: device.token)
        #expect(try server.devices(device.caller).first?.lastSeenAt == fixture.time.now())
    }
}
