package import DbxLocalStore
import DbxSystem

/// What `dbxfs fsck` found in a profile's local state, and did about it.
package struct LocalCheck: Sendable, Codable {
    package private(set) var problems: [StoreProblem] = []
    /// Files that only this computer had, saved from a database that cannot be used any more.
    package private(set) var rescued: Recovery?

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
        // What SQLite itself cannot read no repair can be built on.
        if repairs, let problem = check.problems.first(where: { $0.kind == .database }) {
            check.rescued = try Recovery.run(for: profile, problem: problem.text)
            for index in check.problems.indices { check.problems[index].isRepaired = true }
        }
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
        if !rescued.files.isEmpty {
            lines.append("The next mount that reaches the server brings them back; to see them: dbxfs recovered")
        }
        return lines + ["The damaged state is in \(rescued.damaged)."]
    }
}
