package import DbxLocalStore
package import DbxModel
import DbxSystem
package import DbxWire

/// What was saved when a profile's local state turned out to be damaged, and what has become of it. A value; `RecoveryLog`
/// keeps those that nobody has dismissed.
package struct Recovery: Hashable, Sendable, Codable {
    package struct File: Hashable, Sendable, Codable {
        package enum Outcome: String, Hashable, Sendable, Codable {
            /// For a mount that knows the server's tree.
            case waiting
            /// It is in the tree again, under its own name.
            case restored
            /// It is in the tree beside the version that stands there.
            case copied
            /// It stays where it was saved: what is there is only a part, or an old state of that.
            case leftAside
        }

        /// In the tree, for display; and as bytes.
        package var path: String
        package var path64: Base64
        /// On the local disk; gone once the file is in the tree.
        package var savedAs: String
        package var size: Int64
        /// The bytes that the server does not have. Everything else of the saved file is zeros.
        package var unsent: [StoreRescue.ByteRange]
        package var isWhole: Bool
        package var isIntact: Bool
        package var identity: StoreRescue.Identity?
        package var outcome = Outcome.waiting
        /// In the tree, where it came back.
        package var shownAs: String?
    }

    package var at: Timestamp
    package var problem: String
    /// Where the damaged state is.
    package var damaged: String
    package var files: [File]
    /// What could not be read, or is missing.
    package var losses: [String]
    package var isComplete: Bool

    package var waitingCount: Int { files.count { $0.outcome == .waiting } }
    package var asideCount: Int { files.count { $0.outcome == .leftAside } }

    init(_ rescue: StoreRescue, problem: String, at moment: Timestamp) {
        at = moment
        self.problem = problem
        damaged = rescue.damaged
        losses = rescue.losses
        isComplete = rescue.isComplete
        files = rescue.files.map { file in
            File(
                path: file.path.map(\.display).joined(separator: "/"),
                path64: Base64(Array(file.path.map(\.bytes).joined(separator: [0x2F]))),
                savedAs: (rescue.directory ?? "") + "/" + file.savedAs, size: file.size, unsent: file.unsent,
                isWhole: file.isWhole, isIntact: file.isIntact, identity: file.identity)
        }
    }

    /// Saves what only the damaged state of a profile has, and moves that aside. The caller holds the profile's lock.
    package static func run(for profile: Profile, problem: String) throws(ClientFailure) -> Recovery {
        let now = SystemTime().now()
        var recovery: Recovery?
        do {
            let earlier = try RecoveryLog.load(for: profile)
            let rescue = try StoreRescue.run(in: profile.dataDirectory, now: now) { rescue in
                try RecoveryLog.save(earlier + [Recovery(rescue, problem: problem, at: now)], for: profile)
            }
            recovery = Recovery(rescue, problem: problem, at: now)
        } catch {
            throw ClientFailure(
                .damaged, "The local state in \(profile.dataDirectory) is damaged and cannot be saved from: \(error)",
                remedy: "Nothing was changed. Check that its disk is writable and has room, and mount again.")
        }
        guard let recovery else { throw ClientFailure(.damaged, problem, remedy: "See \(profile.logFile).") }
        return recovery
    }

    /// For a person, in one line.
    package var summary: String {
        func files(_ count: Int) -> String { count == 1 ? "1 file" : "\(count) files" }
        var parts: [String] = []
        let back = self.files.count { $0.outcome == .restored || $0.outcome == .copied }
        if back > 0 { parts.append("\(files(back)) that only this computer had came back") }
        if waitingCount > 0 { parts.append("\(files(waitingCount)) will come back when the server's tree is known") }
        if asideCount > 0 { parts.append("\(files(asideCount)) could only be saved beside it") }
        if !losses.isEmpty { parts.append(losses.count == 1 ? "something is lost" : "\(losses.count) things are lost") }
        if parts.isEmpty { parts.append("no content was waiting for its upload") }
        return "the local state was damaged (\(problem)) and is made anew: " + parts.joined(separator: ", ")
    }
}

/// The recoveries that nobody has dismissed: `recovery.json` in the profile's data directory.
package enum RecoveryLog {
    package static func load(for profile: Profile) throws(ClientFailure) -> [Recovery] {
        try PrivateFile.read([Recovery].self, at: profile.recoveryFile) ?? []
    }

    static func save(_ recoveries: [Recovery], for profile: Profile) throws(ClientFailure) {
        try PrivateFile.write(recoveries, at: profile.recoveryFile)
    }

    /// Nobody wants to be told of them any more. Files that are not in the tree stay where they were saved; one that waits
    /// for its way back keeps its recovery.
    package static func dismiss(for profile: Profile) throws(ClientFailure) -> [Recovery] {
        let waiting = try load(for: profile).filter { $0.waitingCount > 0 }
        try save(waiting, for: profile)
        return waiting
    }
}
