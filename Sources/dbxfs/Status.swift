import ArgumentParser
import DbxClient
import DbxModel
import DbxSystem
import DbxWire
import Foundation

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show whether the mount is connected and what is not on the server yet.")

    @Argument(help: "The mounted directory. (default: the profile's)", completion: .directory)
    var directory: String?

    @Flag(help: "As JSON, for programs.")
    var json = false

    @Flag(help: "Show it again every second, until Ctrl-C.")
    var watch = false

    @OptionGroup var profile: ProfileOption

    func run() throws {
        let profile = try profile.profile(mountedAt: directory)
        if directory == nil, ProfileLock.holder(of: profile) == nil { _ = try ProfileSettings.load(for: profile) }
        repeat {
            let status = try ControlClient.status(of: profile)
            if json {
                try Output.json(status)
            } else {
                if watch { StandardStreams.write("\u{1B}[H\u{1B}[2J") }
                Output.line(Self.describe(status, now: SystemTime().now()))
            }
            if watch { Thread.sleep(forTimeInterval: 1) }
        } while watch
    }

    static func describe(_ status: ClientStatus, now: Timestamp) -> String {
        func age(_ time: Timestamp) -> String { duration(max(0, now.seconds - time.seconds)) }
        var lines = [
            "\(status.mountPoint): \(status.user) on \(status.server), as \(status.device)",
            "connection  \(status.connection.state.rawValue) for \(age(status.connection.since))"
                + (status.connection.detail.map { " (\($0))" } ?? ""),
        ]
        if status.pending.isEmpty {
            lines.append("pending     nothing: everything is on the server")
        } else {
            var line = "pending     \(status.pending.files) changes, \(ByteCount.format(status.pending.bytes))"
            if let oldest = status.pending.oldest { line += ", the oldest \(age(oldest)) old" }
            if let seconds = status.transfer.secondsLeft { line += ", \(duration(seconds)) left" }
            lines.append(line)
        }
        lines.append(
            "transfer    up \(ByteCount.format(status.transfer.uploadBytesPerSecond))/s,"
                + " down \(ByteCount.format(status.transfer.downloadBytesPerSecond))/s")
        lines.append(
            "disk        \(ByteCount.format(status.cache.cachedBytes)) cached of"
                + " \(ByteCount.format(status.cache.limitBytes)), \(ByteCount.format(status.cache.stagingBytes)) staged"
        )
        if let quota = status.quota {
            lines.append(
                "quota       \(ByteCount.format(quota.usedBytes)) used"
                    + (quota.limitBytes.map { " of \(ByteCount.format($0))" } ?? ", no limit"))
        }
        for item in status.refused { lines.append("refused     \(item.path): \(item.reason). \(item.remedy)") }
        if let error = status.lastError { lines.append("last error  \(error.message), \(age(error.at)) ago") }
        return lines.joined(separator: "\n")
    }

    private static func duration(_ seconds: Int64) -> String {
        switch seconds {
        case ..<120: "\(seconds) s"
        case ..<7_200: "\(seconds / 60) min"
        case ..<172_800: "\(seconds / 3_600) h"
        default: "\(seconds / 86_400) days"
        }
    }
}
