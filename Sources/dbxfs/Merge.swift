import ArgumentParser
import DbxClient
import DbxWire

struct Merge: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Choose the folders in which texts that two computers changed are merged.",
        discussion: """
            Where it is on, two versions of a UTF-8 text of at most 1 MiB become one if different lines were changed; the \
            copy that was kept beside it goes then. Where the same lines were changed both stay, as everywhere else \
            (dbxfs conflicts). It holds for the folder, all below it, and all computers of the account, and is kept in the \
            extended attribute user.merge of the folder: “text” or “off”.
            """,
        subcommands: [ListMerging.self, MergeOn.self, MergeOff.self], defaultSubcommand: ListMerging.self)

    static func ask(_ path: String?, _ choice: MergeChoice?, of profile: ProfileOption) throws -> [MergeStatus] {
        let place = try path.map { try profile.place(of: $0) }
        let request = ControlRequest.Command.merging(place.map { Base64($0.relative) }, choice)
        guard case .merging(let answer) = try ControlClient.ask(request, of: place?.profile ?? profile.profile) else {
            throw ControlClient.broken("it answered something else")
        }
        return answer
    }

    static func show(_ answer: [MergeStatus], json: Bool) throws {
        if json { return try Output.json(answer) }
        for status in answer { Output.line(describe(status)) }
    }

    private static func describe(_ status: MergeStatus) -> String {
        let path = shown(status.path64?.bytes ?? Array(status.path.utf8))
        let state = status.isOn ? "on " : "off"
        guard let from = status.from else { return "\(state)  \(path)" }
        return "\(state)  \(path)"
            + (from == status.path ? "" : "  (by \(shown(status.from64?.bytes ?? Array(from.utf8))))")
    }

    private static func shown(_ path: [UInt8]) -> String { path.isEmpty ? "." : Output.escaped(path) }
}

struct ListMerging: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Show where it is on and off.")

    @Argument(help: "A folder. (default: all that say something)", completion: .directory)
    var folder: String?

    @Flag(help: "As JSON, for programs.")
    var json = false

    @OptionGroup var profile: ProfileOption

    func run() throws {
        let answer = try Merge.ask(folder, nil, of: profile)
        if answer.isEmpty, !json { return Output.line("Nowhere. To switch it on: dbxfs merge on FOLDER") }
        try Merge.show(answer, json: json)
    }
}

struct MergeTarget: ParsableArguments {
    @Argument(help: "The folder.", completion: .directory)
    var folder: String

    @Flag(help: "As JSON, for programs.")
    var json = false

    @OptionGroup var profile: ProfileOption

    func set(_ choice: MergeChoice) throws {
        try Merge.show(try Merge.ask(folder, choice, of: profile), json: json)
    }
}

struct MergeOn: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "on", abstract: "Merge texts in a folder, from the next conflict on.")

    @OptionGroup var target: MergeTarget

    func run() throws { try target.set(.on) }
}

struct MergeOff: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "off", abstract: "Keep both versions in a folder, also below one that merges.")

    @OptionGroup var target: MergeTarget

    func run() throws { try target.set(.off) }
}
