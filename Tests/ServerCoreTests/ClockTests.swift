import DbxModel
import DbxServerCore
import DbxTestKit
import DbxWire
import Testing

/// The server's clock is set, forward or back by years: nothing is lost and nobody stays locked out.
@Suite("A server whose clock is set")
struct ClockTests {
    private static let years: Int64 = 10 * 365 * 24 * 3_600
    private let fixture: TestServer
    private let device: TestDevice
    private var server: Server { fixture.server }

    init() throws {
        fixture = try TestServer()
        device = try fixture.newDevice()
    }

    @Test("serves devices, goes on taking uploads and keeps its cursors", arguments: [years, -years])
    func devices(seconds: Int64) throws {
        let (file, _, _) = try device.makeFile("before")
        let pages = try device.pages()
        let (pending, received) = (device.block(), device.block())
        let signed = try #require(device.grant(pending).upload)
        try device.upload(received)

        fixture.time.setClock(forwardBySeconds: seconds)
        try server.maintain()
        _ = try server.authenticate(token: device.token)
        _ = try fixture.logIn()
        // The old leave has ended, or has not begun: a new one is given.
        #expect(throws: Problem.self) { try device.put(pending.stored, to: signed) }
        try device.upload(pending)
        // A receipt may have been given up; asked again, the server says so and takes the bytes.
        try device.upload(received)
        var node = device.node(.file)
        node.content = device.content(
            size: 2_000, [device.segment(0, [(0, 1_000, pending, 0), (1_000, 1_000, received, 0)])])
        try device.commit(
            [node], [device.entry(device.root, "after", node.id)],
            blocks: [device.wrap(pending, plainBytes: 1_000), device.wrap(received, plainBytes: 1_000)])
        #expect(try device.names() == ["after", "before"])
        var replica = Replica(pages)
        for page in try device.pages(from: replica.cursor) { replica.apply(page) }
        #expect(try replica.live == Replica(device.pages()).live && replica.nodes[file] != nil)
        #expect(try server.check().isSound)
    }

    @Test("gives up idle uploads a week later also when they were begun in a wrong future")
    func idleUploads() throws {
        fixture.time.setClock(forwardBySeconds: Self.years)
        try device.upload(device.block(1_000))
        fixture.time.setClock(forwardBySeconds: -Self.years)
        try server.maintain()
        try device.upload(device.block(500))
        try server.setQuota(name: "ada", limitBytes: 1_600)
        #expect(throws: Problem.self) { try device.upload(device.block(500)) }
        fixture.time.advance(by: .seconds(8 * 24 * 3_600))
        try server.maintain()
        try device.upload(device.block(1_500))
    }

    @Test("lets guessers wait as long as without, and no longer", arguments: [years, -years])
    func loginLimit(seconds: Int64) throws {
        func tryPassword(_ password: String) -> ProblemKind? {
            do {
                _ = try server.login(LoginRequest(user: "ada", password: password, device: "x"), address: "10.0.0.1")
                return nil
            } catch {
                return error.kind
            }
        }
        for _ in 0..<12 { _ = tryPassword("wrong") }
        #expect(tryPassword("secret") == .tooManyRequests)
        fixture.time.setClock(forwardBySeconds: seconds)
        #expect(tryPassword("secret") == .tooManyRequests)
        fixture.time.advance(by: .seconds(901))
        #expect(tryPassword("secret") == nil)
    }
}
