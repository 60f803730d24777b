package import DbxLocalStore
import DbxSystem

/// What `dbxfs fsck` found in a profile's local state, and did about it.
package struct LocalCheck: Sendable, Codable {
    package private(set) var problems: [StoreProblem] = []
    /// Files that only this computer had, saved from a database that cannot be used any more.
    package private(set) var rescued: Rescued?

    package struct Rescued: Sendable, Codable {
        /// Where the files are; nil when there were none.
        package var directory: String?
        package var files: [StoreRescue.File]
        /// Where the damaged state is now.
        package var damaged: String
        /// What could not be read.
        package var losses: [String]
    }

    /// Whether everything is as it must be, now.
    package var isSound: Bool { problems.allSatisfy(\.isRepaired) && rescued?.losses.isEmpty ?? true }

    /// Checks the state of a profile that is not mounted; repairs what can be where that is wanted.
    package static func run(_ profile: Profile, repairs: Bool) throws(ClientFailure) -> LocalCheck {
        let lock = try ProfileLock.take(profile, mountPoint: nil)
        defer { withExtendedLifetime(lock) {} }
        var check = LocalCheck()
        do throws(StoreError) {
            try check.run(in: profile.dataDirectory, repairs: repairs)
        } catch {
            throw ClientFailure(
                .failed, "Cannot check the local state in \(profile.dataDirectory): \(error)",
                remedy: "Check that its disk is there, writable and not full.")
        }
        if let rescued = check.rescued { try PrivateFile.write(rescued, at: rescued.damaged + "/recovered.json") }
        return check
    }

    private mutating func run(in directory: String, repairs: Bool) throws(StoreError) {
        guard Paths.exists(directory + "/state.db") || Paths.isDirectory(directory + "/segments") else { return }
        do throws(StoreError) {
            problems = try Self.problems(in: directory, repairs: repairs)
        } catch {
            guard case .corrupt(let what) = error else { throw error }
            problems = [StoreProblem(kind: .database, text: what)]
        }
        // What SQLite itself cannot read no repair can be built on.
        guard repairs, problems.contains(where: { $0.kind == .database }) else { return }
        let rescue = try StoreRescue.run(in: directory, now: SystemTime().now())
        rescued = Rescued(
            directory: rescue.directory, files: rescue.files, damaged: rescue.damaged, losses: rescue.losses)
        for index in problems.indices { problems[index].isRepaired = true }
    }

    private static func problems(in directory: String, repairs: Bool) throws(StoreError) -> [StoreProblem] {
        let store = try LocalStore(StoreConfiguration(directory: directory))
        let problems = try store.check(repairs: false)
        guard repairs, !problems.isEmpty, !problems.contains(where: { $0.kind == .database }) else { return problems }
        let repaired = try store.check(repairs: true)
        let ticket = try store.beginEpoch()
        do throws(Errno) {
            try ticket.sync(store.segments)
        } catch {
            throw .io(error)
        }
        store.finishEpoch(ticket)
        return repaired
    }

    /// For a person.
    package var lines: [String] {
        var lines = problems.map { problem in
            "\(problem.isRepaired ? "repaired" : "wrong")  \(problem.kind.rawValue): \(problem.text)"
        }
        guard let rescued else { return lines.isEmpty ? ["Nothing is wrong."] : lines }
        lines += rescued.losses.map { "lost  \($0)" }
        lines += rescued.files.map { file in
            "saved  \(file.path)" + (file.isWhole ? "" : " (only the parts that were not on the server)")
        }
        if let directory = rescued.directory {
            lines.append("Files that only this computer had are in \(directory): copy them back after the next mount.")
        }
        return lines + ["The damaged state is in \(rescued.damaged)."]
    }
}
