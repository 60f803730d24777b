import ArgumentParser
import DbxClient
import DbxModel
import DbxWire

struct Pin: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Keep files and folders on this computer always, with all that comes into them; or list what is kept so.",
        discussion: """
            Their contents are fetched in the background and never evicted. They count in the cache's size.
            """)

    @Argument(help: "Files and folders. (default: list what is pinned)", completion: .file())
    var paths: [String] = []

    @Flag(help: "As JSON, for programs.")
    var json = false

    @OptionGroup var profile: ProfileOption

    func run() throws {
        let (profile, places) = try profile.places(of: paths)
        let request: ControlRequest.Command = places.isEmpty ? .pins : .pin(places)
        // A large folder is gone through to the end.
        guard case .pins(let pins) = try ControlClient.ask(request, of: profile, timeout: nil) else {
            throw ControlClient.broken("it answered something else")
        }
        if json { return try Output.json(pins) }
        if pins.isEmpty { Output.line("Nothing is pinned.") }
        for pin in pins { Output.line(Self.describe(pin)) }
    }

    private static func describe(_ pin: PinStatus) -> String {
        let path = Output.escaped(pin.path64?.bytes ?? Array(pin.path.utf8))
        let name = path.isEmpty ? "." : path
        if pin.isGone {
            return
                "gone        \(name)  (deleted, here or elsewhere; to see when: dbxfs activity; to forget it: dbxfs unpin)"
        }
        let what = "\(pin.files) files, \(ByteCount.format(pin.bytes))"
        if pin.isComplete { return "here        \(name)  (\(what))" }
        let line = "fetching    \(name)  (\(what), \(ByteCount.format(pin.hereBytes)) of it here)"
        return pin.problem.map { "\(line)\n            \($0)" } ?? line
    }
}

struct Unpin: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let what was pinned be evicted again when room is needed.")

    @Argument(help: "Pinned files and folders.", completion: .file())
    var paths: [String]

    @OptionGroup var profile: ProfileOption

    func run() throws {
        let (profile, places) = try profile.places(of: paths)
        try ControlClient.perform(.unpin(places), of: profile)
        Output.line("Unpinned. What is here stays until room is needed; to free it now: dbxfs evict")
    }
}

struct WarmUp: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "warmup", abstract: "Fetch files and folders now; return when all of it is here.")

    @Argument(help: "Files and folders.", completion: .file())
    var paths: [String]

    @Flag(help: "As JSON, for programs.")
    var json = false

    @OptionGroup var profile: ProfileOption

    func run() throws {
        let (profile, places) = try profile.places(of: paths)
        let answer = try ControlClient.ask(.warmUp(places), of: profile, timeout: nil) { line in
            if case .fetching(let progress) = line, !json { Output.note(Self.describe(progress)) }
        }
        guard case .warmedUp(let reached) = answer else { throw ControlClient.broken("it answered something else") }
        if json { return try Output.json(reached) }
        Output.line("All here: \(reached.files) files, \(ByteCount.format(reached.bytes)).")
    }

    private static func describe(_ progress: FetchProgress) -> String {
        var line = "\(ByteCount.format(progress.hereBytes)) of \(ByteCount.format(progress.bytes)) here"
        if progress.bytesPerSecond > 0 { line += ", \(ByteCount.format(progress.bytesPerSecond))/s" }
        if let seconds = progress.secondsLeft { line += ", \(seconds) s left" }
        return line
    }
}

struct Evict: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Free the disk space of what the server has too; it is fetched again when it is read.",
        discussion: "What is pinned, or not on the server yet, stays.")

    @Argument(help: "Files and folders.", completion: .file())
    var paths: [String]

    @Flag(help: "As JSON, for programs.")
    var json = false

    @OptionGroup var profile: ProfileOption

    func run() throws {
        let (profile, places) = try profile.places(of: paths)
        guard case .evicted(let report) = try ControlClient.ask(.evict(places), of: profile, timeout: nil) else {
            throw ControlClient.broken("it answered something else")
        }
        if json { return try Output.json(report) }
        Output.line("Freed \(ByteCount.format(report.bytes)) of \(report.files) files.")
        if report.pinnedBytes > 0 { Output.line("Pinned, and kept: \(ByteCount.format(report.pinnedBytes)).") }
        if report.pendingBytes > 0 {
            Output.line("Not on the server yet, and kept: \(ByteCount.format(report.pendingBytes)).")
        }
    }
}

struct Cache: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what takes the disk space of this computer's copies.")

    @Flag(help: "As JSON, for programs.")
    var json = false

    @OptionGroup var profile: ProfileOption

    func run() throws {
        guard case .cache(let report) = try ControlClient.ask(.cache, of: try profile.profile, timeout: nil) else {
            throw ControlClient.broken("it answered something else")
        }
        if json { return try Output.json(report) }
        Output.line("cached      \(ByteCount.format(report.cachedBytes)) of \(ByteCount.format(report.limitBytes))")
        Output.line("pinned      \(ByteCount.format(report.pinnedBytes)) of that")
        Output.line("pending     \(ByteCount.format(report.pendingBytes)) that the server does not have yet")
        Output.line(
            "disk        \(ByteCount.format(report.diskFreeBytes)) free, of which"
                + " \(ByteCount.format(report.diskFloorBytes)) are never used")
        for folder in report.folders {
            let path = folder.path.map { Output.escaped(Array($0.utf8)) } ?? "(removed, or without a name)"
            var line = "  \(ByteCount.format(folder.cachedBytes))  \(path)"
            if folder.pinnedBytes > 0 { line += ", \(ByteCount.format(folder.pinnedBytes)) pinned" }
            if folder.pendingBytes > 0 { line += ", \(ByteCount.format(folder.pendingBytes)) pending" }
            Output.line(line)
        }
    }
}

extension ProfileOption {
    /// Paths of one mount, from its directory.
    func places(of paths: [String]) throws -> (profile: Profile, paths: [Base64]) {
        let places = try paths.map { try place(of: $0) }
        let profile = try places.first?.profile ?? self.profile
        guard places.allSatisfy({ $0.profile == profile }) else {
            throw ClientFailure(.usage, "The paths lie in different mounts", remedy: "Name those of one at a time.")
        }
        return (profile, places.map { Base64($0.relative) })
    }
}
