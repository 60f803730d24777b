import Crypto
import DbxModel
import DbxServerCore
import DbxTestKit
import DbxWire

/// What a server has said to clients and administrators, and when: what it must know again after a kill or a power cut.
struct ServerPromises {
    /// What the server says is not what it has said.
    struct Wrong: Error, CustomStringConvertible {
        var description: String
    }

    /// The tree after a commit, and between which places of the disk's trace the commit was answered.
    struct Commit {
        var begin: Int
        var end: Int
        var replica: Replica
    }

    /// An account as an administrator left it. Which of two passwords counts is open while it is being changed.
    struct Account {
        var name: String
        var begin: Int
        var end: Int
        var password: String
    }

    struct Token {
        var text: String
        var end: Int
        var revoked: Range<Int>?
    }

    struct Receipt {
        var block: TestBlock
        /// Of the device that uploaded it.
        var token: String
        var end: Int
    }

    var commits: [Commit] = []
    var accounts: [Account] = []
    var tokens: [Token] = []
    var receipts: [Receipt] = []
    /// Blocks whose upload was begun, and where in the trace.
    var begun: [(block: TestBlock, begin: Int)] = []

    /// What a server that was left with so many commits at a place of the trace goes on with; it knows the rest at
    /// most.
    func settled(keeping count: Int, at position: Int) -> ServerPromises {
        var settled = ServerPromises()
        settled.commits = commits.prefix(count).map { Commit(begin: 0, end: 0, replica: $0.replica) }
        settled.accounts = accounts.filter { $0.end <= position }
            .map { Account(name: $0.name, begin: 0, end: 0, password: $0.password) }
        settled.tokens = tokens.filter { $0.end <= position }.compactMap { token in
            guard let revoked = token.revoked, revoked.lowerBound <= position else {
                return Token(text: token.text, end: 0)
            }
            return revoked.upperBound <= position ? Token(text: token.text, end: 0, revoked: 0..<0) : nil
        }
        settled.begun = begun.filter { $0.begin <= position }.suffix(1)
        settled.receipts = receipts.filter { $0.end <= position }.map {
            Receipt(block: $0.block, token: $0.token, end: 0)
        }
        return settled
    }

    // MARK: What has to hold

    /// Holds a server to what had been promised when the trace was this long; what was on its way then may be there.
    /// Returns how many commits are there.
    func check(_ fixture: TestServer, at position: Int) throws -> Int {
        let report = try fixture.server.check()
        guard report.problems.isEmpty, report.unknownObjects.isEmpty else {
            throw Wrong(description: "fsck: \(report.problems) \(report.unknownObjects)")
        }
        try checkAccounts(fixture, position)
        guard let token = try checkTokens(fixture, position) else { return 0 }
        let device = try TestDevice(fixture, token: token)
        let kept = try checkTree(device, position)
        try checkReceipts(fixture, position)
        try checkBlocks(device)
        try checkCursors(device, kept: kept)
        return kept
    }

    private func checkAccounts(_ fixture: TestServer, _ position: Int) throws {
        for name in Set(accounts.filter { $0.end <= position }.map(\.name)) {
            let states = accounts.filter { $0.name == name && $0.begin <= position }
            let possible = states.suffix(from: states.lastIndex { $0.end <= position } ?? 0)
            let isKnown = possible.contains { state in
                let request = LoginRequest(user: name, password: state.password, device: "new")
                return (try? fixture.server.login(request, address: name)) != nil
            }
            if !isKnown { throw Wrong(description: "\(name) cannot log in any more") }
        }
    }

    /// Returns one that counts.
    private func checkTokens(_ fixture: TestServer, _ position: Int) throws -> String? {
        var valid: String?
        for token in tokens where token.end <= position {
            let isKnown = (try? fixture.server.authenticate(token: token.text)) != nil
            if isKnown {
                if let revoked = token.revoked, revoked.upperBound <= position {
                    throw Wrong(description: "a revoked device is back")
                }
                valid = token.text
            } else if token.revoked.map({ $0.lowerBound > position }) ?? true {
                throw Wrong(description: "a device was logged out")
            }
        }
        return valid
    }

    private func checkReceipts(_ fixture: TestServer, _ position: Int) throws {
        for receipt in receipts where receipt.end <= position {
            // Those of a revoked device are of no use.
            guard let device = try? TestDevice(fixture, token: receipt.token) else { continue }
            if try device.grant(receipt.block).upload != nil {
                throw Wrong(description: "the receipt for \(receipt.block.id) is lost")
            }
        }
    }

    private func checkTree(_ device: TestDevice, _ position: Int) throws -> Int {
        let found = try Replica(device.pages()).live
        let begun = commits.prefix { $0.begin <= position }
        guard let kept = begun.lastIndex(where: { $0.replica.live == found }) else {
            throw Wrong(description: "a tree that never was, with \(found.nodes.count) nodes")
        }
        let promised = commits.lastIndex { $0.end <= position } ?? 0
        guard kept >= promised else {
            throw Wrong(description: "\(promised - kept) answered commits of \(promised + 1) are lost")
        }
        return kept + 1
    }

    /// Every block that the tree knows is served with the bytes that its name says.
    private func checkBlocks(_ device: TestDevice) throws {
        for row in try Replica(device.pages()).blocks.values {
            let block = try device.server.readBlock(device.caller, namespace: device.namespace, block: row.id)
            var bytes = [UInt8](repeating: 0, count: Int(block.bytes))
            try bytes.withUnsafeMutableBytes { try block.read(into: $0, offset: 0) }
            guard Array(SHA256.hash(data: bytes)) == row.id.bytes else {
                throw Wrong(description: "block \(row.id) is served torn")
            }
        }
    }

    /// Cursors of before go on from there; those of a future that was lost are told to list again, also once the server
    /// has had another one.
    private func checkCursors(_ device: TestDevice, kept: Int) throws {
        let now = try Replica(device.pages()).live
        for index in [kept - 1, device.entropy.number(below: kept)] {
            var replica = commits[index].replica
            for page in try device.pages(from: replica.cursor) { replica.apply(page) }
            guard replica.live == now else { throw Wrong(description: "a cursor misses changes") }
        }
        guard kept < commits.count else { return }
        try checkIsGone(commits[kept...].map(\.replica.cursor), device)
        try device.make(.directory, "another future")
        try checkIsGone(commits[kept...].map(\.replica.cursor), device)
    }

    private func checkIsGone(_ cursors: [String?], _ device: TestDevice) throws {
        for cursor in cursors {
            do {
                _ = try device.pages(from: cursor)
                throw Wrong(description: "a cursor of a lost future is taken")
            } catch let problem as Problem where problem.kind == .cursorGone {}
        }
    }
}
