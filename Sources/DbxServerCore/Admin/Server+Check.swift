import Crypto
import DbxModel
import DbxServerStores

/// What `dbxfs-server fsck` found.
package struct CheckReport: Hashable, Sendable, Codable {
    /// What is wrong, for people.
    package fileprivate(set) var problems: [String] = []
    /// Objects that no row knows: what a crash between the object and its row leaves behind.
    package fileprivate(set) var unknownObjects: [String] = []
    package fileprivate(set) var blocks = 0
    package fileprivate(set) var bytes: Int64 = 0
}

extension Server {
    /// Checks all rows against each other and every stored block against its name. Beside a serving process.
    package func check() throws(ServerError) -> CheckReport {
        try Self.administering {
            var report = CheckReport()
            report.problems = try metadata.read { try $0.contradictions() }.map { "\($0.count) \($0.what.description)" }
            try checkBlocks(&report)
            try findUnknownObjects(&report)
            return report
        }
    }

    private func checkBlocks(_ report: inout CheckReport) throws {
        var last: BlockID?
        while true {
            let batch = try metadata.read { try $0.blocks(after: last, limit: 500) }
            guard let end = batch.last else { return }
            for block in batch {
                report.blocks += 1
                report.bytes += block.storedBytes
                if let fault = try fault(of: block) { report.problems.append("block \(block.key) \(fault)") }
            }
            last = end.id
        }
    }

    private func fault(of block: BlockRecord) throws -> String? {
        // The bytes of small blocks lie with their rows.
        if block.mayBeInline, let body = try metadata.read({ try $0.body(of: block.id) }) {
            return Array(SHA256.hash(data: body)) == block.id.bytes ? nil : "is damaged"
        }
        guard let object = try objects.open(block.key) else { return "is missing" }
        guard object.length == block.storedBytes else { return "has another length" }
        var bytes = [UInt8](repeating: 0, count: Int(clamping: object.length))
        do {
            // Safe: the buffer is lent for the call.
            try unsafe bytes.withUnsafeMutableBytes { unsafe try object.read(into: $0, offset: 0) }
        } catch {
            return "cannot be read"
        }
        return Array(SHA256.hash(data: bytes)) == block.id.bytes ? nil : "is damaged"
    }

    /// Objects are listed before their rows are looked for: one that is on its way in has its row first.
    private func findUnknownObjects(_ report: inout CheckReport) throws {
        var last: ObjectKey?
        while true {
            let batch = try objects.keys(after: last, limit: 500)
            guard let end = batch.last else { return }
            let unknown = try metadata.read { rows in try batch.filter { try !rows.hasRow(for: $0) } }
            report.unknownObjects += unknown.map(\.description)
            last = end
        }
    }
}
