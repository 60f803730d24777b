import Foundation

/// The mounts of this process's namespace, from `/proc/self/mountinfo` (proc_pid_mountinfo(5)). Values.
package struct MountTable: Sendable {
    package struct Entry: Hashable, Sendable {
        package var mountPoint: String
        package var type: String
        /// The kernel's number of the file system: the minor number in the low 20 bits.
        package var device: UInt64
    }

    package static func current() -> [Entry] {
        guard let data = FileManager.default.contents(atPath: "/proc/self/mountinfo") else { return [] }
        return parse(String(decoding: data, as: UTF8.self))
    }

    static func parse(_ text: String) -> [Entry] {
        text.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ")
            guard let separator = fields.firstIndex(of: "-"), fields.count > separator + 1, separator > 4 else {
                return nil
            }
            return Entry(
                mountPoint: unescape(fields[4]), type: String(fields[separator + 1]), device: device(fields[2]))
        }
    }

    /// `MAJOR:MINOR`
    private static func device(_ field: Substring) -> UInt64 {
        let numbers = field.split(separator: ":").map { UInt64($0) ?? 0 }
        return numbers.count == 2 ? numbers[0] << 20 | numbers[1] : 0
    }

    /// Space, tab, newline and backslash come as three octal digits.
    private static func unescape(_ field: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(field.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), rest.count >= 3,
                let code = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8)
            {
                bytes.append(code)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
