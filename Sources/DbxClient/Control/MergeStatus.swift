import DbxLocalStore
import DbxSync
package import DbxWire

/// Whether texts in a folder are merged, as `dbxfs merge` tells it: a value. Fields are added, never renamed: scripts read
/// them.
package struct MergeStatus: Hashable, Sendable, Codable {
    /// From the mounted directory.
    package var path: String
    package var path64: Base64?
    package var isOn: Bool
    /// The folder that says so; nil where none does.
    package var from: String?
    package var from64: Base64?

    /// `choice`: what that folder says.
    init(path: [UInt8], choice: MergeRule.Choice?, from: [UInt8]?) {
        self.path = String(decoding: path, as: UTF8.self)
        path64 = String(validating: path, as: UTF8.self) == nil ? Base64(path) : nil
        isOn = choice == .text
        self.from = from.map { String(decoding: $0, as: UTF8.self) }
        from64 = from.flatMap { String(validating: $0, as: UTF8.self) == nil ? Base64($0) : nil }
    }
}

/// What `dbxfs merge` says of a folder.
package enum MergeChoice: Hashable, Sendable, Codable {
    case on, off

    var rule: MergeRule.Choice { self == .on ? .text : .off }
}
