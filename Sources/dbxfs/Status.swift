import ArgumentParser
import DbxClient
import DbxModel
import DbxSystem
import DbxWire
import Foundation

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show whether the mount is connected and what is not on the server yet, or how files stand.",
        discussion: """
            A file or folder is synced, online-only (its content is fetched when it is read), pending (the server has an \
            older state), local-only (the server has never had it), uploading, conflicted (two versions were kept), or \
            refused (the server will not take it; reason and remedy are shown). A folder is not-listed while this computer \
            does not know yet what is in it: that is asked of the server when somebody looks.
            """)

    @Argument(help: "The mounted directory, or files and folders in it. (default: the profile's)", completion: .file())
    var paths: [String] = []

    @Flag(help: "As JSON, for programs.")
    var json = false

    @Flag(help: "Show it again every second, until Ctrl-C.")
    var watch = false

    @OptionGroup var profile: ProfileOption

    func run() throws {
        let places = try paths.map { try self.profile.place(of: $0) }
        if places.contains(where: { !$0.relative.isEmpty }) || places.count > 1 { return try showStates(places) }
        let profile = try places.first?.profile ?? self.profile.profile
        if paths.isEmpty, ProfileLock.holder(of: profile) == nil { _ = try ProfileSettings.load(for: profile) }
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

    // MARK: Files and folders

    private func showStates(_ places: [(profile: Profile, relative: [UInt8])]) throws {
        guard let profile = places.first?.profile, places.allSatisfy({ $0.profile == profile }) else {
            throw ClientFailure(.usage, "The paths lie in different mounts", remedy: "Ask for those of one at a time.")
        }
        repeat {
            let answer = try ControlClient.ask(.states(places.map { Base64($0.relative) }), of: profile)
            guard case .states(let states) = answer else { throw ControlClient.broken("it answered something else") }
            if json {
                try Output.json(states)
            } else {
                if watch { StandardStreams.write("\u{1B}[H\u{1B}[2J") }
                for state in states { Output.line(Self.describe(state)) }
            }
            if watch { Thread.sleep(forTimeInterval: 1) }
        } while watch
    }

    private static func column(_ text: String) -> String {
        text + String(repeating: " ", count: max(1, 12 - text.count))
    }

    static func describe(_ status: PathStatus) -> String {
        let path = Output.escaped(status.path64?.bytes ?? Array(status.path.utf8))
        var line = column(status.stateName) + (path.isEmpty ? "." : path)
        if status.isIgnored {
            line += "  (kept on this computer by a rule; to see which: dbxfs ignore)"
        } else if status.kind == .file {
            line += "  (\(ByteCount.format(status.size)), \(ByteCount.format(status.cachedBytes)) of it here"
            if status.isPinned { line += ", pinned" }
            line += status.pendingBytes > 0 ? ", \(ByteCount.format(status.pendingBytes)) to go up)" : ")"
        } else if status.isPinned, status.pendingCount == 0 {
            line += "  (pinned)"
        } else if status.pendingCount > 0 {
            line += "  (\(status.pendingCount) changes in it, \(ByteCount.format(status.pendingBytes)) to go up)"
        }
        var lines = [line]
        if let reason = status.reason { lines.append("            \(reason). \(status.remedy ?? "")") }
        for item in status.items {
            let path = Output.escaped(item.path64?.bytes ?? Array(item.path.utf8))
            lines.append("  " + column(item.stateName) + path)
        }
        if status.items.count < status.pendingCount {
            lines.append("  and \(status.pendingCount - status.items.count) more")
        }
        for group in status.collisions {
            lines.append("  names differ only by case or form: " + group.map { escaped($0) }.joined(separator: ", "))
        }
        return lines.joined(separator: "\n")
    }

    private static func escaped(_ text: String) -> String { Output.escaped(Array(text.utf8)) }

    static func describe(_ status: ClientStatus, now: Timestamp) -> String {
        func age(_ time: Timestamp) -> String { duration(max(0, now.seconds - time.seconds)) }
        var lines = [
            "\(status.mountPoint): \(status.user) on \(status.server), as \(status.device)",
            "connection  \(status.connection.state.rawValue) for \(age(status.connection.since))"
                + (status.connection.detail.map { " (\($0))" } ?? ""),
        ]
        if !status.tree.isComplete {
            let known = "tree        \(status.tree.entries) entries known, "
            lines.append(
                known + (status.tree.isReading ? "listing the rest" : "the rest is listed when somebody looks into it"))
        }
        if status.isPaused {
            let end = status.pausedUntil.map { " until \(Output.date($0))" } ?? ""
            lines.append("sync        paused\(end); to go on: dbxfs resume")
        }
        if status.isMetered {
            lines.append(
                "metered     contents wait; to send them now: dbxfs sync; whatever the connection is: dbxfs limit --metered off"
            )
        }
        if status.pending.isEmpty {
            lines.append("pending     nothing: everything is on the server")
        } else {
            var line = "pending     \(status.pending.files) changes, \(ByteCount.format(status.pending.bytes))"
            if let oldest = status.pending.oldest { line += ", the oldest \(age(oldest)) old" }
            if let seconds = status.transfer.secondsLeft { line += ", \(duration(seconds)) left" }
            lines.append(line)
        }
        if status.localOnly.files > 0 {
            lines.append(
                "local-only  \(status.localOnly.files) files and folders by ignore rules,"
                    + " \(ByteCount.format(status.localOnly.bytes))")
        }
        lines.append(
            "transfer    up \(ByteCount.format(status.transfer.uploadBytesPerSecond))/s,"
                + " down \(ByteCount.format(status.transfer.downloadBytesPerSecond))/s")
        if status.uploadLimit != nil || status.downloadLimit != nil {
            lines.append(
                "limit       up \(Limit.describe(status.uploadLimit)), down \(Limit.describe(status.downloadLimit))")
        }
        lines.append(
            "disk        \(ByteCount.format(status.cache.cachedBytes)) cached of"
                + " \(ByteCount.format(status.cache.limitBytes)), \(ByteCount.format(status.cache.stagingBytes)) staged"
        )
        if status.pins > 0 { lines.append("pinned      \(status.pins) files and folders; to see how far: dbxfs pin") }
        for path in status.pinsGone {
            lines.append(
                "pinned      “\(escaped(path))” is gone: deleted, here or elsewhere; to forget it: dbxfs unpin")
        }
        if let quota = status.quota {
            lines.append(
                "quota       \(ByteCount.format(quota.usedBytes)) used"
                    + (quota.limitBytes.map { " of \(ByteCount.format($0))" } ?? ", no limit"))
        }
        if let held = status.held {
            lines.append("guard       \(Guard.describe(held)); to go on: dbxfs guard confirm, or dbxfs guard undo")
        }
        if status.conflicts > 0 {
            lines.append("conflicts   \(status.conflicts) to choose from; to see them: dbxfs conflicts")
        }
        for warning in status.warnings { lines.append("damage      \(warning)") }
        for loss in status.losses.prefix(10) { lines.append("lost        \(escaped(loss))") }
        if status.lostVersions.count > 10 {
            lines.append("            and \(status.lostVersions.count - 10) more; to see them: dbxfs status --json")
        }
        for recovery in status.recoveries {
            lines.append("recovered   \(Output.date(recovery.at)): \(recovery.summary); to see them: dbxfs recovered")
        }
        for group in status.collisions.prefix(20) {
            lines.append(
                "names       differ only by case or form: " + group.map { escaped($0) }.joined(separator: ", "))
        }
        if status.collisions.count > 20 {
            lines.append("            and \(status.collisions.count - 20) more; to see them: dbxfs status --json")
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
