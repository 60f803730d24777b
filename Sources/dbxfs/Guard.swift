import ArgumentParser
import DbxClient
import DbxModel

struct Guard: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show, confirm or undo what is held back because it would delete or rewrite very much.",
        discussion: """
            Deletions and rewrites of files older than a day, at least 1,000 and a quarter of all, wait here until somebody \
            confirms or undoes them. Everything else is synced meanwhile.
            """)

    @Argument(help: "confirm (they go to the server) or undo (the server's state comes back). (default: show)")
    var answer: String?

    @Flag(help: "As JSON, for programs.")
    var json = false

    @OptionGroup var profile: ProfileOption

    func run() throws {
        let profile = try profile.profile
        var choice: GuardAnswer?
        if let answer {
            choice = GuardAnswer(rawValue: answer)
            guard choice != nil else {
                throw ClientFailure(.usage, "“\(answer)” is no answer", remedy: "Use confirm or undo.")
            }
        }
        guard case .guarded(let held) = try ControlClient.ask(.guarded(choice), of: profile) else {
            throw ControlClient.broken("it answered something else")
        }
        if json { return try Output.json(["held": held]) }
        switch (choice, held) {
        case (.confirm, _): Output.line("Confirmed. They go to the server now.")
        case (.undo, nil): Output.line("Undone: everything is as on the server again.")
        case (.undo, _): Output.line("The names are back; contents come back as soon as the server can be reached.")
        case (nil, let held?): Output.line(Self.describe(held) + "\nTo go on: dbxfs guard confirm, or dbxfs guard undo")
        case (nil, nil): Output.line("Nothing is held back.")
        }
    }

    static func describe(_ held: GuardStatus) -> String {
        let what = "\(held.changes) deletions and rewrites"
        return held.isUndoing
            ? "\(what) are being undone" : "\(what) are held back since \(Output.date(held.since))"
    }
}
