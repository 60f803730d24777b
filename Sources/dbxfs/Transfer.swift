import ArgumentParser
import DbxClient
import DbxModel
import DbxSystem

struct Pause: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Stop syncing for a while.",
        discussion: """
            The folder goes on working; what is written waits here, what others change comes later. Files that are read \
            are still fetched. Holds over restarts, until 'dbxfs resume' or the end of the time.
            """)

    @Option(name: .customLong("for"), help: "How long: 30m, 2h, 1d, or seconds. (default: until 'dbxfs resume')")
    var time: String?

    @Flag(help: "As JSON, for programs.")
    var json = false

    @OptionGroup var profile: ProfileOption

    func run() throws {
        var until: Timestamp?
        if let time {
            guard let duration = Amounts.duration(time) else {
                throw ClientFailure(.usage, "“\(time)” is no length of time", remedy: "Use one as in 30m, 2h or 1d.")
            }
            until = SystemTime().now().advanced(by: duration)
        }
        let settings = try TransferChange(pause: .on(until: until)).perform(on: try profile.profile)
        if json { return try Output.json(settings) }
        let end = settings.pausedUntil.map { "until \(Output.date($0))" } ?? "until you run: dbxfs resume"
        Output.line("Paused \(end). What is written meanwhile stays on this computer.")
    }
}

struct Resume: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "End a pause: sync goes on.")

    @Flag(help: "As JSON, for programs.")
    var json = false

    @OptionGroup var profile: ProfileOption

    func run() throws {
        let settings = try TransferChange(pause: .off).perform(on: try profile.profile)
        if json { return try Output.json(settings) }
        Output.line("Syncing. To see what is pending: dbxfs status")
    }
}

struct Limit: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Limit how fast contents go up and down, and over what.",
        discussion: """
            Holds for all files together and over restarts; without options it shows what holds. A read that would take \
            longer than a minute at that rate fails.

            On a metered connection names, attributes and news go on, and files that are read are fetched; written contents \
            wait for 'dbxfs sync', or until more waits than --dirty-limit allows, and nothing else is fetched.
            """)

    @Option(help: "Bytes per second to the server: 500K, 2M, or none.")
    var up: String?

    @Option(help: "Bytes per second from the server: 500K, 2M, or none.")
    var down: String?

    @Option(help: "Whether data cost money here: on, off, or auto, as NetworkManager says. (default: auto)")
    var metered: String?

    @Flag(help: "As JSON, for programs.")
    var json = false

    @OptionGroup var profile: ProfileOption

    func run() throws {
        let change = TransferChange(
            upload: try Self.limit(up), download: try Self.limit(down), metered: try Self.mode(metered))
        let settings = try change.perform(on: try profile.profile)
        if json { return try Output.json(settings) }
        Output.line("up    \(Self.describe(settings.uploadLimit))")
        Output.line("down  \(Self.describe(settings.downloadLimit))")
        Output.line("metered  \((settings.metered ?? .auto).rawValue)")
    }

    private static func mode(_ text: String?) throws(ClientFailure) -> MeteredMode? {
        guard let text else { return nil }
        guard let mode = MeteredMode(rawValue: text) else {
            throw ClientFailure(.usage, "“\(text)” says nothing of a connection", remedy: "Use on, off or auto.")
        }
        return mode
    }

    static func describe(_ limit: Int64?) -> String { limit.map { ByteCount.format($0) + "/s" } ?? "no limit" }

    private static func limit(_ text: String?) throws(ClientFailure) -> TransferChange.Limit? {
        guard let text else { return nil }
        if text == "none" { return TransferChange.Limit.none }
        let rate = text.hasSuffix("/s") ? String(text.dropLast(2)) : text
        guard let bytes = ByteCount.parse(rate), bytes >= TransferSettings.smallestLimit else {
            throw ClientFailure(
                .usage, "“\(text)” is no rate", remedy: "Use at least 64K, as in 500K or 2M, or none for no limit.")
        }
        return .bytesPerSecond(bytes)
    }
}

/// Lengths of time as people write them.
enum Amounts {
    private static let units: [Character: Double] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]

    /// `90`, `90s`, `30m`, `2h`, `1.5d`; nil when it is none, or none that ends.
    static func duration(_ text: String) -> Duration? {
        var number = text.lowercased()
        var unit = 1.0
        if let last = number.last, let known = units[last] {
            unit = known
            number.removeLast()
        }
        guard let value = Double(number), value > 0, value * unit < 10 * 365 * 86_400 else { return nil }
        return .seconds(value * unit)
    }
}
