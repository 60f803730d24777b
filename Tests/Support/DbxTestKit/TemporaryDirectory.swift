import Foundation

/// A directory of its own for one test, removed with all that is in it when the last reference goes.
package final class TemporaryDirectory: Sendable {
    package let path: String

    /// `inMemory`: where syncs cost nothing, if the machine has such a place.
    package init(inMemory: Bool = false) {
        let parent = inMemory && access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
        var template = Array("\(parent)/dbxfs-test.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { fatalError("mkdtemp failed: errno \(errno)") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
