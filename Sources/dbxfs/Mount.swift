import ArgumentParser
import DbxClient
import DbxModel
import DbxSystem
import Foundation
import Glibc
import Logging

struct Mount: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the account as a folder.",
        discussion: "Returns when the mount answers; a daemon serves it until 'dbxfs umount'.")

    @Argument(help: "An empty directory. (default: where it was mounted last)", completion: .directory)
    var directory: String?

    @Flag(help: "Serve in this process, for systemd (Type=notify).")
    var foreground = false

    @Flag(help: "Let other users of this machine in, as permissions allow; /etc/fuse.conf must say user_allow_other.")
    var allowOther = false

    @Option(help: "How much disk copies of the server's files may take: 10G, 500M.")
    var cacheSize: String?

    @Option(help: "How much may wait for its upload before writers are slowed to the upload's speed (default: 20G).")
    var dirtyLimit: String?

    @Option(help: "Seconds after which a read that waits for the server fails (default: 60).")
    var readTimeout: Int?

    @Option(help: "Up to how many files and folders are listed before somebody looks into them (default: 2000000).")
    var treeLimit: Int?

    @Option(help: "What becomes of two versions of one file: keep-both, last-write-wins. (default: as last time)")
    var conflicts: String?

    @Option(
        help:
            "Whether programs that watch the folder learn of remote changes: on, off. (default: as last time, first on)"
    )
    var changeEvents: String?

    @Option(
        help: """
            Programs whose reads fetch nothing, as thumbnailers and indexers: usual, none, or NAME,NAME. (default: as last \
            time, first usual)
            """)
    var fetchNothingFor: String?

    @Option(help: .private)
    var readyDescriptor: Int32?

    @OptionGroup var profile: ProfileOption

    func run() throws {
        let profile = try profile.profile
        let report = ReadinessReport(descriptor: readyDescriptor)
        do {
            let options = try options(profile)
            if foreground {
                try serve(options, report)
            } else {
                try startDaemon(options)
            }
        } catch let failure as ClientFailure {
            report.failed(failure)
            throw failure
        }
    }

    private func options(_ profile: Profile) throws -> MountOptions {
        var settings = try ProfileSettings.load(for: profile)
        _ = try Credentials.load(for: profile)
        guard let path = directory ?? settings.mountPoint else {
            throw ClientFailure(.usage, "No directory to mount on was given", remedy: "Run: dbxfs mount DIR")
        }
        if let cacheSize { settings.cacheLimitBytes = try amount(cacheSize, atLeast: "64M", as: "cache size") }
        if let dirtyLimit { settings.dirtyLimitBytes = try amount(dirtyLimit, atLeast: "16M", as: "dirty limit") }
        if let readTimeout {
            guard (1...3_600).contains(readTimeout) else {
                throw ClientFailure(
                    .usage, "“\(readTimeout)” is no time to wait for a read", remedy: "Use 1 to 3600 seconds.")
            }
            settings.readTimeoutSeconds = readTimeout
        }
        if let treeLimit {
            guard treeLimit >= 0 else {
                throw ClientFailure(.usage, "“\(treeLimit)” is no number of entries", remedy: "Use 0 or more.")
            }
            settings.treeLimit = treeLimit
        }
        if let conflicts {
            guard let policy = ProfileSettings.conflictPolicy(named: conflicts) else {
                throw ClientFailure(
                    .usage, "“\(conflicts)” is no way to settle conflicts", remedy: "Use keep-both or last-write-wins.")
            }
            settings.conflictPolicy = policy
        }
        if let changeEvents {
            guard changeEvents == "on" || changeEvents == "off" else {
                throw ClientFailure(
                    .usage, "“\(changeEvents)” says nothing about change events", remedy: "Use on or off.")
            }
            settings.changeEvents = changeEvents == "on"
        }
        if let fetchNothingFor {
            let names = fetchNothingFor.split(separator: ",").map(String.init)
            settings.idleReaders = names == ["usual"] ? nil : names == ["none"] ? [] : names
        }
        let mountPoint = MountPoint.resolve(path)
        if allowOther { try MountPoint.checkAllowOther() }
        settings.mountPoint = mountPoint
        return MountOptions(profile: profile, settings: settings, mountPoint: mountPoint, allowOther: allowOther)
    }

    private func amount(_ text: String, atLeast least: String, as what: String) throws -> Int64 {
        guard let bytes = ByteCount.parse(text), bytes >= ByteCount.parse(least) ?? 0 else {
            throw ClientFailure(
                .usage, "“\(text)” is no \(what)", remedy: "Use an amount of at least \(least), as in 10G.")
        }
        return bytes
    }

    private func startDaemon(_ options: MountOptions) throws {
        // What can be wrong is found here already, while there is a terminal to say it on.
        if let holder = ProfileLock.holder(of: options.profile), let mountPoint = holder.mountPoint {
            throw ClientFailure(
                .mountPoint, "Profile “\(options.profile.name)” is already mounted at \(mountPoint)",
                remedy: "Use it there, or run: dbxfs umount \(mountPoint)")
        }
        try MountPoint.prepare(options.mountPoint)
        var arguments = [
            "mount", options.mountPoint, "--foreground", "--profile", options.profile.name, "--ready-descriptor",
            "\(ChildProcess.extraDescriptor)",
        ]
        if allowOther { arguments.append("--allow-other") }
        if let conflicts { arguments += ["--conflicts", conflicts] }
        if let cacheSize { arguments += ["--cache-size", cacheSize] }
        if let dirtyLimit { arguments += ["--dirty-limit", dirtyLimit] }
        if let changeEvents { arguments += ["--change-events", changeEvents] }
        if let fetchNothingFor { arguments += ["--fetch-nothing-for", fetchNothingFor] }
        if let treeLimit { arguments += ["--tree-limit", "\(treeLimit)"] }
        if let readTimeout { arguments += ["--read-timeout", "\(readTimeout)"] }
        try DetachedDaemon.start(arguments: arguments, profile: options.profile) { Output.note($0) }
        Output.line("Mounted \(options.settings.server) at \(options.mountPoint). To stop: dbxfs umount")
    }

    private func serve(_ options: MountOptions, _ report: ReadinessReport) throws {
        try options.settings.save(for: options.profile)
        _ = FileManager.default.changeCurrentDirectoryPath("/")
        let log = Logger(label: "dbxfs") { StreamLogHandler.standardError(label: $0) }
        try ClientDaemon.run(options, readiness: report, log: log) { text in
            report.progress(text)
            ServiceNotifier.notify("STATUS=\(text)")
        }
    }
}
