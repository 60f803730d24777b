import Crypto
import DbxModel
import DbxServerCore
import DbxTestKit
import DbxWire
import Testing

/// Random work of one person's devices and of an administrator on a server whose data lie on a `LossyDisk`. One seed
/// makes one run.
final class ServerWorkload {
    let disk: LossyDisk
    private(set) var promises: ServerPromises
    private let entropy: SeededEntropy
    private let time = FakeTime()
    private var opened: TestServer?
    private var fixture: TestServer { opened! }
    private var device: TestDevice { get throws { try TestDevice(fixture, token: token) } }
    private var token = ""
    private var password = "secret"

    static func dataDirectory(on path: String) -> String { path + "/srv/data" }

    /// On an empty disk, or on one where a server was left with these promises, the last of whose commits it has.
    init(disk: LossyDisk, seed: UInt64, left: ServerPromises? = nil) throws {
        self.disk = disk
        entropy = SeededEntropy(seed: seed)
        promises = left ?? ServerPromises()
        try open()
        if let left {
            password = left.accounts.last { $0.name == "ada" }?.password ?? password
            try logIn()
            // Clients repeat what was under way.
            for (block, _) in left.begun { try receive(block) }
        } else {
            try promiseAccount("ada") { try fixture.addUser("ada") }
            try logIn()
            try commit { _ in }
        }
    }

    private func open() throws {
        opened = nil
        opened = try TestServer(dataDirectory: Self.dataDirectory(on: disk.path), time: time, entropy: entropy)
    }

    // MARK: Promises

    private func promiseAccount(_ name: String, _ body: () throws -> Void) throws {
        let begin = disk.position
        try body()
        promises.accounts.append(
            .init(name: name, begin: begin, end: disk.position, password: name == "ada" ? password : "secret"))
    }

    private func logIn() throws {
        let login = try fixture.server.login(
            LoginRequest(user: "ada", password: password, device: "laptop"), address: "home")
        token = login.token
        promises.tokens.append(.init(text: token, end: disk.position))
    }

    private func commit(_ body: (TestDevice) throws -> Void) throws {
        let device = try device
        let begin = disk.position
        try body(device)
        promises.commits.append(.init(begin: begin, end: disk.position, replica: Replica(try device.pages())))
    }

    // MARK: Work

    func run(steps: Int) throws {
        for _ in 0..<steps { try step() }
    }

    /// Work on a disk that fails again and again for a while, in the middle of anything; what was refused is done once
    /// more when the disk works again. Returns how often something failed.
    func run(steps: Int, failing fault: LossyDisk.Fault) throws -> Int {
        var failures = 0
        for _ in 0..<steps {
            if entropy.chance(40) { try disk.fail(fault, afterBytes: entropy.number(below: 40_000)) }
            do {
                try step()
            } catch {
                guard error is Problem || error is ServerError else { throw error }
                failures += 1
                try disk.fail(.none)
                if opened == nil { try open() }
            }
        }
        try disk.fail(.none)
        return failures
    }

    private func step() throws {
        switch entropy.number(below: 20) {
        case 0...6: try makeFile()
        case 7...8: try makeInlineFile()
        case 9: try commit { try $0.make(.directory, "d\(entropy.next())") }
        case 10...11: try removeFile()
        case 12...13: try renameFile()
        case 14: _ = try receivedBlock()
        case 15: try refusedUpload()
        case 16: try administer()
        case 17: try changeDevices()
        case 18: try fixture.server.maintain()
        default: try open()
        }
        time.advance(by: .seconds(entropy.number(below: 100)))
    }

    private func receivedBlock() throws -> TestBlock {
        let block = try device.block(1 + entropy.number(below: entropy.chance(30) ? 60_000 : 3_000))
        try receive(block)
        return block
    }

    private func receive(_ block: TestBlock) throws {
        let device = try device
        let others = (0..<entropy.number(below: 3)).map { _ in device.block(1 + entropy.number(below: 9_000)) }
        let together = entropy.chance(50) ? [block] : [block] + others
        promises.begun += together.map { ($0, disk.position) }
        if together.count == 1 {
            try device.upload(block)
        } else {
            try #require(try device.pack(together).allSatisfy(\.self))
        }
        for block in together { promises.receipts.append(.init(block: block, token: token, end: disk.position)) }
    }

    private func makeFile() throws {
        let known = promises.receipts.filter { $0.token == token }.map(\.block)
        let block = known.isEmpty || entropy.chance(70) ? try receivedBlock() : entropy.element(of: known)
        try commit { try makeFile(block, $0, bringing: $0.wrap(block, plainBytes: 1_000)) }
    }

    private func makeInlineFile() throws {
        try commit { device in
            let block = device.block(1 + entropy.number(below: 5_000))
            var brought = device.wrap(block, plainBytes: 1_000)
            brought.body = Base64(block.stored)
            try makeFile(block, device, bringing: brought)
        }
    }

    /// New, or new content of one that is there.
    private func makeFile(_ block: TestBlock, _ device: TestDevice, bringing brought: CommittedBlock) throws {
        let segment = device.segment(0, [(0, 1_000, block, 0)])
        if entropy.chance(40), let (entry, node) = try anyFile(device) {
            let content = device.content(base: node.contentSeq, size: 1_000, [segment])
            try device.commit([NodeChange(id: entry, kind: .file, content: content)], blocks: [brought])
            return
        }
        var node = device.node(.file)
        node.content = device.content(size: 1_000, [segment])
        try device.commit([node], [device.entry(device.root, "f\(entropy.next())", node.id)], blocks: [brought])
    }

    private func anyFile(_ device: TestDevice) throws -> (NodeID, NodeRow)? {
        let files = try Replica(device.pages()).live.nodes.filter { $0.value.kind == .file }.sorted { $0.key < $1.key }
        return files.isEmpty ? nil : entropy.element(of: files.map { ($0.key, $0.value) })
    }

    private func anyEntry(_ device: TestDevice) throws -> EntryRow? {
        let entries = try (Replica(device.pages()).live.entries[device.root] ?? [:]).values.sorted { $0.name < $1.name }
        return entries.isEmpty ? nil : entropy.element(of: entries)
    }

    private func removeFile() throws {
        guard let entry = try anyEntry(device) else { return }
        try commit { try $0.commit([], [$0.entry(entry.parent, entry.name.display, nil, base: entry.seq)]) }
    }

    private func renameFile() throws {
        guard let entry = try anyEntry(device) else { return }
        try commit { device in
            try device.commit(
                [],
                [
                    device.entry(entry.parent, entry.name.display, nil, base: entry.seq),
                    device.entry(device.root, "r\(entropy.next())", entry.node),
                ])
        }
    }

    /// Bytes that are not the block's leave nothing behind.
    private func refusedUpload() throws {
        let device = try device
        let block = device.block(500)
        guard let signed = try device.grant(block).upload else { return }
        do {
            try device.put(entropy.bytes(500), to: signed)
            throw ServerPromises.Wrong(description: "bytes with another hash were taken")
        } catch let problem as Problem where problem.kind == .badRequest {}
    }

    private func administer() throws {
        if entropy.chance(50) {
            let name = "user\(entropy.next())"
            return try promiseAccount(name) { try fixture.addUser(name) }
        }
        let before = password
        password = "secret\(entropy.next())"
        do {
            try promiseAccount("ada") {
                try fixture.server.setPassword(name: "ada", password: password, revokeDevices: false)
            }
        } catch {
            password = before
            throw error
        }
    }

    private func changeDevices() throws {
        let old = promises.tokens.count - 1
        try logIn()
        let begin = disk.position
        let caller = try fixture.server.authenticate(token: promises.tokens[old].text)
        promises.tokens[old].revoked = begin..<Int.max
        try fixture.server.revokeDevice(try device.caller, device: caller.device)
        promises.tokens[old].revoked = begin..<disk.position
    }
}
