import ArgumentParser
import DbxClient
import DbxModel
import DbxWire

struct Conflicts: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the files of which two versions were kept, and choose between them.",
        discussion: """
            When this computer and another one changed a file, the server's version has its name and this computer's stands \
            beside it as a conflicted copy. Removing or renaming the copy settles it as well.
            """,
        subcommands: [ListConflicts.self, ResolveConflict.self], defaultSubcommand: ListConflicts.self)
}

struct ListConflicts: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List what is not settled yet.")

    @Flag(help: "As JSON, for programs.")
    var json = false

    @OptionGroup var profile: ProfileOption

    func run() throws {
        guard case .conflicts(let conflicts) = try ControlClient.ask(.conflicts, of: try profile.profile) else {
            throw ControlClient.broken("it answered something else")
        }
        if json { return try Output.json(conflicts) }
        guard !conflicts.isEmpty else { return Output.line("No conflicts.") }
        for conflict in conflicts {
            let path = Output.escaped(conflict.path64?.bytes ?? Array(conflict.path.utf8))
            let keptAs = Output.escaped(conflict.keptAs64?.bytes ?? Array(conflict.keptAs.utf8))
            let theirs = conflict.theirSize.map {
                "\(ByteCount.format($0))" + (conflict.theirModified.map { ", changed \(Output.date($0))" } ?? "")
            }
            Output.line("\(path)  (\(Output.date(conflict.at)))")
            Output.line("  theirs  \(theirs ?? "gone")")
            Output.line(
                "  ours    \(ByteCount.format(conflict.ourSize)), changed \(Output.date(conflict.ourModified)),"
                    + " from \(conflict.device), kept as \(keptAs)")
            if let merge = conflict.mergeInWords { Output.line("  merge   \(merge)") }
        }
        Output.line("To choose: dbxfs conflicts resolve PATH --keep ours|theirs|both")
    }
}

struct ResolveConflict: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "resolve", abstract: "Choose which version stays.")

    @Argument(help: "The file, or its conflicted copy.", completion: .file())
    var path: String

    @Option(help: "ours (the copy takes the name), theirs (the copy goes), both (as they are).")
    var keep: String

    @Flag(help: "As JSON, for programs: what is still to be settled.")
    var json = false

    @OptionGroup var profile: ProfileOption

    func run() throws {
        guard let choice = ConflictChoice(rawValue: keep) else {
            throw ClientFailure(.usage, "“\(keep)” is no choice", remedy: "Use --keep ours, theirs or both.")
        }
        let place = try profile.place(of: path)
        _ = try ControlClient.ask(.resolve(Base64(place.relative), choice), of: place.profile)
        if json {
            guard case .conflicts(let left) = try ControlClient.ask(.conflicts, of: place.profile) else {
                throw ControlClient.broken("it answered something else")
            }
            return try Output.json(left)
        }
        switch choice {
        case .ours: Output.line("Kept this computer's version; the other one is gone.")
        case .theirs: Output.line("Kept the server's version; the copy is gone.")
        case .both: Output.line("Kept both.")
        }
    }
}
