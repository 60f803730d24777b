import ArgumentParser
import DbxClient
import DbxWire

struct Recovered: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List what was saved when this computer's local state was damaged.",
        discussion: """
            When the local state is damaged, 'dbxfs mount' saves what only this computer had and makes the state anew from \
            the server. Each saved file is restored (in the tree again), copied (in the tree, beside the version that stands \
            there), waiting (for a mount that reaches the server) or left aside (it stays where it was saved).
            """)

    @Flag(help: "Stop telling of them in 'dbxfs status'. Saved files stay where they are.")
    var dismiss = false

    @Flag(help: "As JSON, for programs.")
    var json = false

    @OptionGroup var profile: ProfileOption

    func run() throws {
        let profile = try profile.profile
        let recoveries = try RecoveryLog.load(for: profile)
        if json { try Output.json(recoveries) } else { show(recoveries) }
        if dismiss { _ = try RecoveryLog.dismiss(for: profile) }
    }

    private func show(_ recoveries: [Recovery]) {
        if recoveries.isEmpty { return Output.line("Nothing was recovered, or all of it is dismissed.") }
        for recovery in recoveries {
            Output.line("\(Output.date(recovery.at)): \(recovery.summary).")
            for file in recovery.files { Output.line("  " + Self.describe(file)) }
            for loss in recovery.losses { Output.line("  lost        \(loss)") }
            Output.line("  The damaged state is in \(recovery.damaged).")
        }
        if !dismiss { Output.line("When you have seen to all of it: dbxfs recovered --dismiss") }
    }

    private static func describe(_ file: Recovery.File) -> String {
        let path = Output.escaped(file.path64.bytes)
        let part = file.isWhole ? "" : " (only the parts that were not on the server)"
        return switch file.outcome {
        case .waiting: "waiting     \(path), saved as \(file.savedAs)"
        case .restored: "restored    \(path)"
        case .copied: "copied      \(path), as \(file.shownAs ?? path)"
        case .leftAside: "left aside  \(path), saved as \(file.savedAs)\(part)"
        }
    }
}
