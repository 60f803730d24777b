import Crypto
import DbxModel
import DbxServerStores

/// Holds every stored block against its name, and objects against rows.
struct ObjectCheck {
    let metadata: any MetadataStore
    let objects: any ObjectStore

    private enum Fault: String {
        case missing = "is missing"
        case length = "has another length"
        case unreadable = "cannot be read"
        case damaged = "is damaged"
    }

    func run(_ report: inout CheckReport) throws {
        try forEachBlock { block in
            report.blocks += 1
            report.bytes += block.storedBytes
            let location = try location(of: block)
            let fault = try fault(of: block, at: location)
            // What is known as lost is told by the files that need it.
            if let fault, block.state != .lost {
                report.problems.append("block \(block.key)\(location.words) \(fault.rawValue)")
            }
            if fault == nil, block.state == .lost { report.problems.append("block \(block.key) is back") }
        }
        try findUnknownObjects(&report)
        report.foreignFiles = try objects.foreignNames()
    }

    /// Puts aside what is damaged, and takes back that it is there; returns what was done, for people.
    func repair() throws -> [String] {
        var done: [String] = []
        try forEachBlock { block in
            let location = try location(of: block)
            let fault = try fault(of: block, at: location)
            if fault == nil, block.state == .lost {
                try metadata.write { try $0.setState(.live, of: block.id) }
                done.append("block \(block.key) is back")
            } else if let fault, block.state != .lost {
                let place = try location.isShared ? nil : objects.quarantine(block.key)
                try metadata.write { try $0.setLost(block.id) }
                done.append(
                    "block \(block.key)\(location.words) \(fault.rawValue): taken again from who has it"
                        + (place.map { ", what was there is now \($0)" } ?? ""))
            }
        }
        return done
    }

    private func location(of block: BlockRecord) throws -> BlockLocation {
        try metadata.read { try BlockLocation(of: block, $0) }
    }

    private func forEachBlock(_ body: (BlockRecord) throws -> Void) throws {
        var last: BlockID?
        while true {
            let batch = try metadata.read { try $0.blocks(after: last, limit: 500) }
            guard let end = batch.last else { return }
            for block in batch { try body(block) }
            last = end.id
        }
    }

    private func fault(of block: BlockRecord, at location: BlockLocation) throws -> Fault? {
        guard let object = try location.open(block, in: objects) else { return .missing }
        guard object.length == block.storedBytes else { return .length }
        var bytes = [UInt8](repeating: 0, count: Int(clamping: object.length))
        do {
            // Safe: the buffer is lent for the call.
            try unsafe bytes.withUnsafeMutableBytes { unsafe try object.read(into: $0, offset: 0) }
        } catch {
            return .unreadable
        }
        return Array(SHA256.hash(data: bytes)) == block.id.bytes ? nil : .damaged
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
