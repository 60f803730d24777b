import ArgumentParser
import DbxClient
import DbxModel
import DbxSystem
import Foundation
import Glibc

@main
struct Dbxfs: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dbxfs",
        abstract: "Your files on a dbxfs server, as an ordinary folder.",
        discussion: """
            Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not logged in, 4 server unreachable, 5 something is pending \
            or in use, 6 mount point unusable, 7 not mounted, 8 certificate not trusted, 9 local state damaged.
            """,
        subcommands: [
            Login.self, Logout.self, Mount.self, Unmount.self, Status.self, Activity.self, Sync.self, Conflicts.self,
            Merge.self, Guard.self, Ignore.self, Pin.self, Unpin.self, WarmUp.self, Evict.self, Cache.self, Pause.self,
            Resume.self,
            Limit.self, List.self, Devices.self, Fsck.self,
            Recovered.self, Version.self, RaiseEvents.self,
        ])

    static func main() {
        // A command whose reader has gone (`dbxfs ls | head`) ends by EPIPE.
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try parseAsRoot(nil)
            try command.run()
        } catch let failure as ClientFailure {
            StandardStreams.writeError("dbxfs: \(failure)\n")
            Glibc.exit(failure.status.rawValue)
        } catch {
            guard exitCode(for: error) == .validationFailure else { exit(withError: error) }
            StandardStreams.writeError(fullMessage(for: error) + "\n")
            Glibc.exit(ExitStatus.usage.rawValue)
        }
    }
}

/// The daemon's helper; nobody else's business.
struct RaiseEvents: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: EventHelper.command, shouldDisplay: false)

    func run() throws { try EventHelper.run() }
}

/// Which account: the option that every command has.
struct ProfileOption: ParsableArguments {
    @Option(name: .customLong("profile"), help: "The profile: one account on this machine.")
    var name = "default"

    var profile: Profile {
        get throws { try Profile(name: name, directories: BaseDirectories()) }
    }

    /// The profile that is mounted at a directory, or the named one where no directory is given.
    func profile(mountedAt directory: String?) throws -> Profile {
        guard let directory else { return try profile }
        let path = MountPoint.resolve(directory)
        for profile in Profile.all(in: try BaseDirectories()) {
            guard let mountPoint = ProfileLock.holder(of: profile)?.mountPoint else { continue }
            if path == mountPoint || path.hasPrefix(mountPoint + "/") { return profile }
        }
        throw ClientFailure(.notMounted, "Nothing of dbxfs is mounted at \(path)", remedy: "Run: dbxfs mount \(path)")
    }

    /// A path in a mount: the profile, and the path's bytes from the mounted directory.
    func place(of path: String) throws -> (profile: Profile, relative: [UInt8]) {
        let profile = try profile(mountedAt: path)
        guard let mountPoint = ProfileLock.holder(of: profile)?.mountPoint else { return (profile, []) }
        return (profile, Array(MountPoint.resolve(path).dropFirst(mountPoint.count).drop { $0 == "/" }.utf8))
    }
}

struct Version: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print the version.")

    func run() { Output.line("dbxfs \(ClientVersion.current)") }
}

/// What commands print.
enum Output {
    static func line(_ text: String) { StandardStreams.write(text + "\n") }

    /// Something for a person to watch, which is not the command's result.
    static func note(_ text: String) { StandardStreams.writeError(text + "\n") }

    static func json(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        line(String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    static func date(_ time: Timestamp) -> String {
        Date(timeIntervalSince1970: Double(time.seconds)).formatted(
            .iso8601.year().month().day().dateSeparator(.dash).dateTimeSeparator(.space).time(
                includingFractionalSeconds: false))
    }

    /// A name or path of any bytes on one line: what is no printable UTF-8 comes as `\xNN`.
    static func escaped(_ bytes: [UInt8]) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            return bytes.map { (0x20..<0x7F).contains($0) ? String(UnicodeScalar($0)) : "\\x" + [$0].hex }.joined()
        }
        return text.unicodeScalars.map { scalar in
            scalar.properties.generalCategory == .control
                ? "\\x" + [UInt8(truncatingIfNeeded: scalar.value)].hex : String(scalar)
        }.joined()
    }
}
