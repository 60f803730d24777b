/// An open regular file, from `open` or `create` until `release`. Never used again for another.
package struct FileHandle: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// The answer to `open`.
package struct OpenedFile: Hashable, Sendable {
    package var handle: FileHandle
    /// What the kernel keeps of the content is still true.
    package var keepsCache: Bool
}

/// How a file is opened.
package struct OpenOptions: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let write = OpenOptions(rawValue: 1)
    package static let truncate = OpenOptions(rawValue: 2)
}
