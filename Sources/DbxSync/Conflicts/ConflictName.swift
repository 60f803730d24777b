package import DbxModel

/// Names of conflicted copies: `name (conflicted copy from DEVICE YYYY-MM-DD).ext`, with a counter where that is taken
/// and cut at a character to fit 255 bytes. A conflicted copy that meets another conflict keeps its own mark and takes
/// the next counter, so that no name carries two marks. What is recovered from a damaged state is named likewise.
package struct ConflictName: Sendable {
    package enum Kind: String, Sendable {
        case conflicted = " (conflicted copy from "
        case recovered = " (recovered from "
    }

    private let stem: [UInt8]
    private let ending: [UInt8]
    private let mark: String

    package init(for name: Name, device: String, at moment: Timestamp, kind: Kind = .conflicted) {
        let split = Self.split(Self.withoutMark(name.bytes, kind.rawValue))
        stem = split.stem
        ending = split.ending
        mark = kind.rawValue + Self.displayable(device) + " " + Self.date(of: moment)
    }

    /// The first candidate that `isTaken` denies.
    package func firstFree(isTaken: (Name) throws -> Bool) rethrows -> Name {
        var counter = 1
        while true {
            let candidate = candidate(counter)
            if try !isTaken(candidate) { return candidate }
            counter += 1
        }
    }

    private func candidate(_ counter: Int) -> Name {
        let suffix = Array((mark + (counter == 1 ? ")" : " \(counter))")).utf8)
        let kept = ending.count + suffix.count < Name.maximumBytes ? ending : []
        let room = Name.maximumBytes - suffix.count - kept.count
        // The mark holds at most 120 bytes, so there is always room, and the result is always a valid name.
        return Name(Self.cut(stem, to: room) + suffix + kept) ?? Name("conflicted copy \(counter)")!
    }

    /// A device name of at most 80 bytes without characters that a name may not hold.
    private static func displayable(_ device: String) -> String {
        let clean = device.map { $0 == "/" || $0 == "\0" || $0.isNewline ? "_" : $0 }
        return String(decoding: cut(Array(String(clean).utf8), to: 80), as: UTF8.self)
    }

    /// `.tar.gz` is no special case: what follows the last dot is the ending, and a leading dot starts no ending.
    private static func split(_ bytes: [UInt8]) -> (stem: [UInt8], ending: [UInt8]) {
        guard let dot = bytes.lastIndex(of: 0x2E), dot > 0 else { return (bytes, []) }
        return (Array(bytes[..<dot]), Array(bytes[dot...]))
    }

    private static func withoutMark(_ bytes: [UInt8], _ marker: String) -> [UInt8] {
        guard let text = String(validating: bytes, as: UTF8.self), let start = text.range(of: marker),
            let close = text[start.upperBound...].firstIndex(of: ")")
        else { return bytes }
        let plain = Array((text[..<start.lowerBound] + text[text.index(after: close)...]).utf8)
        return plain.isEmpty ? bytes : plain
    }

    /// At most `room` bytes, never through the middle of a UTF-8 sequence.
    private static func cut(_ bytes: [UInt8], to room: Int) -> [UInt8] {
        guard bytes.count > room else { return bytes }
        var end = room
        while end > 0, bytes[end] & 0xC0 == 0x80 { end -= 1 }
        return Array(bytes[..<end])
    }

    /// The UTC date, by the civil-from-days algorithm of Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms".
    private static func date(of moment: Timestamp) -> String {
        let days = moment.seconds >= 0 ? moment.seconds / 86_400 : (moment.seconds - 86_399) / 86_400
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        func padded(_ number: Int64, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
    }
}

extension String {
    /// The first place where `other` stands, compared character by character.
    fileprivate func range(of other: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(other) { return start..<index(start, offsetBy: other.count) }
            start = index(after: start)
        }
        return nil
    }
}
