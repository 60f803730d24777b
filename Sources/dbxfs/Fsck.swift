import ArgumentParser
import DbxClient

struct Fsck: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check the local state of a profile that is not mounted.",
        discussion: """
            Without --repair nothing is changed. With it counts, marks and cached blocks are put right; a database that is \
            damaged is moved aside after the files that only this computer has were saved from it; the next mount begins \
            afresh with what the server has and brings them back ('dbxfs mount' does all of this by itself). Exit codes: 0 nothing is wrong (any more), 9 something is.
            """)

    @Flag(help: "Repair what can be repaired.")
    var repair = false

    @Flag(help: "As JSON, for programs.")
    var json = false

    @OptionGroup var profile: ProfileOption

    func run() throws {
        let check = try LocalCheck.run(try profile.profile, repairs: repair)
        if json { try Output.json(check) } else { check.lines.forEach(Output.line) }
        if check.isSound { return }
        throw ClientFailure(
            .damaged, "The local state of profile “\(try profile.profile.name)” is damaged",
            remedy: repair
                ? "What is left cannot be repaired here; see above." : "Run: dbxfs fsck --repair\(option)")
    }

    private var option: String { profile.name == "default" ? "" : " --profile \(profile.name)" }
}
