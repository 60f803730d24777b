import ArgumentParser
import DbxClient
import DbxModel
import DbxWire
import Foundation

struct Activity: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what was sent to the server, received from it, and fetched by reading.",
        discussion: "The newest few thousand changes are kept, also over restarts.")

    @Option(name: [.customShort("n"), .long], help: "At most so many, the newest.")
    var lines = 50

    @Flag(help: "Go on with what comes, until Ctrl-C.")
    var follow = false

    @Flag(help: "As JSON, one object per line.")
    var json = false

    @OptionGroup var profile: ProfileOption

    func run() throws {
        let profile = try profile.profile
        var last = try show(after: 0, limit: max(0, lines), waitSeconds: 0, profile) ?? 0
        while follow {
            last = try show(after: last, limit: .max, waitSeconds: 30, profile) ?? last
        }
    }

    /// The number of the last record shown.
    private func show(after number: Int64, limit: Int, waitSeconds: Int, _ profile: Profile) throws -> Int64? {
        let answer = try ControlClient.ask(
            .activity(after: number, limit: limit, waitSeconds: waitSeconds), of: profile)
        guard case .activity(let records) = answer else { throw ControlClient.broken("it answered something else") }
        for record in records {
            Output.line(
                json ? String(decoding: try WireJSON.encode(record), as: UTF8.self) : Self.describe(record))
        }
        return records.last?.number
    }

    static func describe(_ record: ActivityRecord) -> String {
        let direction = record.direction.rawValue.padding(toLength: 8, withPad: " ", startingAt: 0)
        let start = "\(Output.date(record.at))  \(direction)  "
        let path = Output.escaped(record.path64?.bytes ?? Array(record.path.utf8))
        switch record.action {
        case "more": return start + "and \(record.bytes) more"
        case "renamed": return start + "renamed     \(Output.escaped(Array((record.from ?? "").utf8))) -> \(path)"
        default:
            let action = record.action + String(repeating: " ", count: max(0, 12 - record.action.count))
            return start + action + path + (record.bytes > 0 ? "  (\(ByteCount.format(record.bytes)))" : "")
        }
    }
}
