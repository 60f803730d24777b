package import DbxWire

/// Which rule decides about a path: what `dbxfs ignore PATH` shows. A value. Fields are added, never renamed: scripts read
/// them.
package struct IgnoreStatus: Hashable, Sendable, Codable {
    /// From the mounted directory, for display.
    package var path: String
    /// Where it is no UTF-8.
    package var path64: Base64?
    package var isIgnored = false
    /// Nothing of it goes to the server; a path that is ignored and on the server all the same came there before its rule.
    package var isLocalOnly = false
    /// The file of the deciding rule, from the mounted directory, with line and text of the rule; nil: none speaks of it.
    package var file: String?
    package var line: Int?
    package var rule: String?

    init(path: [UInt8]) {
        let text = String(validating: path, as: UTF8.self)
        self.path = text ?? String(decoding: path, as: UTF8.self)
        path64 = text == nil ? Base64(path) : nil
    }
}

/// What `dbxfs ignore --apply` takes, or took, from the server. A value; fields are added, never renamed.
package struct IgnoreReport: Hashable, Sendable, Codable {
    package var count = 0
    package var bytes: Int64 = 0
    /// The first of them, for display.
    package var paths: [String] = []
    /// What stays on the server: it has another name there that no rule speaks of.
    package var skipped: [String] = []
}
