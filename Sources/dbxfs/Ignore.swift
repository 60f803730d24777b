import ArgumentParser
import DbxClient
import DbxModel
import DbxWire

struct Ignore: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show which rule of which .dbxfsignore keeps a file on this computer, or apply the rules.",
        discussion: """
            A file .dbxfsignore, in the syntax of .gitignore, keeps new files and folders that it names on this computer; it \
            is synced itself. What the server has when a rule is made stays there: --apply takes it from the server and \
            from all other computers, and keeps it here.
            """)

    @Argument(help: "Files and folders. (default with --apply: the mounted directory)", completion: .file())
    var paths: [String] = []

    @Flag(help: "Take from the server what the rules speak of, at and below the paths.")
    var apply = false

    @Flag(help: "With --apply: only show what it would take.")
    var dryRun = false

    @Flag(help: "As JSON, for programs.")
    var json = false

    @OptionGroup var profile: ProfileOption

    func run() throws {
        guard apply || !dryRun else {
            throw ClientFailure(.usage, "--dry-run goes with --apply", remedy: "Run: dbxfs ignore --apply --dry-run")
        }
        guard apply || !paths.isEmpty else {
            throw ClientFailure(.usage, "No path was given", remedy: "Run: dbxfs ignore PATH, or dbxfs ignore --apply")
        }
        let places = try paths.map { try profile.place(of: $0) }
        if apply {
            try applyRules(places.isEmpty ? [(try profile.profile, [])] : places)
        } else {
            try show(places)
        }
    }

    private func show(_ places: [(profile: Profile, relative: [UInt8])]) throws {
        var all: [IgnoreStatus] = []
        for place in places {
            guard
                case .ignored(let found) = try ControlClient.ask(.ignored([Base64(place.relative)]), of: place.profile)
            else { throw ControlClient.broken("it answered something else") }
            all += found
        }
        if json { return try Output.json(all) }
        for status in all { Output.line(Self.describe(status)) }
    }

    private static func describe(_ status: IgnoreStatus) -> String {
        let path = Output.escaped(status.path64?.bytes ?? Array(status.path.utf8))
        guard let file = status.file, let line = status.line, let rule = status.rule else {
            return "\(path): no rule speaks of it"
        }
        let place = "\(Output.escaped(Array(file.utf8))):\(line): \(Output.escaped(Array(rule.utf8)))"
        guard status.isIgnored else { return "\(path): not ignored, by \(place)" }
        return "\(path): ignored, by \(place)"
            + (status.isLocalOnly
                ? "" : " (not local-only: it was synced before; to change that: dbxfs ignore --apply)")
    }

    private func applyRules(_ places: [(profile: Profile, relative: [UInt8])]) throws {
        var all: [IgnoreReport] = []
        for place in places {
            let request = ControlRequest.Command.applyIgnore(Base64(place.relative), dryRun: dryRun)
            // Contents may have to be fetched: that takes as long as it takes.
            guard
                case .ignoreApplied(let report) = try ControlClient.ask(request, of: place.profile, timeout: nil)
            else {
                throw ControlClient.broken("it answered something else")
            }
            all.append(report)
        }
        if json { return try Output.json(all) }
        for report in all {
            for path in report.paths { Output.line(Output.escaped(Array(path.utf8))) }
            if report.count > report.paths.count { Output.line("and \(report.count - report.paths.count) more") }
            for path in report.skipped {
                Output.note("Stays on the server, which has it under another name too: \(path)")
            }
            let what = "\(report.count) files and folders, \(ByteCount.format(report.bytes)),"
            Output.line(
                dryRun ? "\(what) would go from the server and stay here." : "\(what) go from the server and stay here."
            )
        }
    }
}
