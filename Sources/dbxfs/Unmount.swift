import ArgumentParser
import DbxClient
import DbxModel
import Foundation

struct Unmount: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "umount", abstract: "Take the folder away and end its daemon.",
        discussion: "What is not on the server yet stays here and goes up at the next mount, unless --wait.")

    @Argument(help: "The mounted directory. (default: the profile's)", completion: .directory)
    var directory: String?

    @Flag(help: "First wait until everything is on the server.")
    var wait = false

    @OptionGroup var profile: ProfileOption

    func run() throws {
        let directory = directory.map(MountPoint.resolve)
        // Or this process would keep the mount busy by having been started in it.
        _ = FileManager.default.changeCurrentDirectoryPath("/")
        // A mount whose daemon was killed only has to be detached.
        if let directory, MountPoint.isMounted(directory), (try? profile.profile(mountedAt: directory)) == nil {
            try MountPoint.detach(directory, lazily: true)
            return Output.line("Unmounted; its daemon had ended before.")
        }
        let profile = try profile.profile(mountedAt: directory)
        var progress = Progress()
        try ControlClient.perform(wait ? .unmountWhenSynced : .unmount, of: profile) { progress.show($0) }
        try ControlClient.waitForEnd(of: profile, timeout: .seconds(60))
        Output.line("Unmounted.")
    }
}

struct Sync: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Return when everything here is on the server.")

    @Argument(help: "The mounted directory. (default: the profile's)", completion: .directory)
    var directory: String?

    @OptionGroup var profile: ProfileOption

    func run() throws {
        let profile = try profile.profile(mountedAt: directory)
        var progress = Progress()
        try ControlClient.perform(.sync, of: profile) { progress.show($0) }
        Output.line("Everything is on the server.")
    }
}

/// Lines about what is still pending, each only when it says something new.
struct Progress {
    private var last: PendingStatus?

    mutating func show(_ pending: PendingStatus) {
        guard pending != last else { return }
        last = pending
        Output.note(
            "Waiting: \(pending.files) changes, \(ByteCount.format(pending.bytes)) to go up …"
        )
    }
}
