/// How to mount and serve.
package struct FuseMountOptions: Sendable {
    /// First column of mount(8).
    package var source = "dbxfs"
    /// The type is `fuse.<subtype>`.
    package var subtype = "dbxfs"
    package var allowOther = false
    /// The kernel checks permissions from the attributes it has.
    package var defaultPermissions = true
    package var readOnly = false
    package var noAccessTimes = false
    /// Worker threads; nil for as many as cores (2 at least).
    package var threads: Int?
    package var capabilities = FuseCapabilities.standard
    package var maximumWriteBytes: UInt32 = 1 << 20
    package var maximumReadAheadBytes: UInt32 = 8 << 20
    package var maximumBackground: UInt32 = 64

    package init() {}

    /// As libfuse takes them: the program's name first.
    var arguments: [String] { ["dbxfs", "-o", list] }

    /// As libfuse and fusermount3 take them after -o.
    var list: String {
        var options = ["fsname=\(escaped(source))", "subtype=\(escaped(subtype))", "nosuid", "nodev"]
        if allowOther { options.append("allow_other") }
        if defaultPermissions { options.append("default_permissions") }
        if readOnly { options.append("ro") }
        if noAccessTimes { options.append("noatime") }
        return options.joined(separator: ",")
    }

    /// In an option list a comma separates and a backslash escapes.
    private func escaped(_ value: String) -> String {
        value.reduce(into: "") { text, character in
            if character == "," || character == "\\" { text.append("\\") }
            text.append(character)
        }
    }
}
