/// What `dbxfs-server fsck` found and, with `--repair`, what it did.
package struct CheckReport: Hashable, Sendable, Codable {
    /// What is wrong and a repair can mend, for people.
    package var problems: [String] = []
    /// What is wrong and only a backup mends.
    package var beyondRepair: [String] = []
    /// Files that cannot be read because bytes of theirs are lost, by account and path.
    package var unreadableFiles: [String] = []
    /// What was repaired, one line each.
    package var repairs: [String] = []
    /// Objects that no row knows: what a crash between the object and its row leaves behind.
    package var unknownObjects: [String] = []
    /// Files among the objects that are none; left alone.
    package var foreignFiles: [String] = []
    package var blocks = 0
    package var bytes: Int64 = 0

    /// Nothing is wrong. What lies there without use is not wrong.
    package var isSound: Bool { problems.isEmpty && beyondRepair.isEmpty && unreadableFiles.isEmpty }
}
