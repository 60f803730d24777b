/// Matching of one pattern as git does it (`wildmatch.c` with WM_PATHNAME; gitignore(5)): `*` and `?` stop at slashes, `**`
/// between slashes does not, `[…]` with ranges and named classes, `\` takes what follows by its letter. Pure, on bytes.
struct Wildmatch {
    private let pattern: [UInt8]
    private let text: [UInt8]

    private enum Outcome {
        case match, noMatch
        /// No later start in the text can help.
        case abort
        /// Nor can one within this path component: only a `**` before may go on.
        case abortToStarStar
    }

    static func matches(_ pattern: [UInt8], _ text: [UInt8]) -> Bool {
        Wildmatch(pattern: pattern, text: text).run(0, 0) == .match
    }

    private static let slash = UInt8(ascii: "/")
    private static let backslash = UInt8(ascii: "\\")
    private static let star = UInt8(ascii: "*")

    private func symbol(_ index: Int) -> UInt8? { index < pattern.count ? pattern[index] : nil }

    /// The pattern from `start` on, which counts as its beginning, against the text from `position` on.
    private func run(_ start: Int, _ position: Int) -> Outcome {
        var (index, position) = (start, position)
        while let symbol = symbol(index) {
            guard position < text.count || symbol == Self.star else { return .abort }
            switch symbol {
            case Self.star:
                guard let next = skipComponent(&index, start: start, at: position) else { return .noMatch }
                switch next {
                case .slash(let found): position = found
                case .outcome(let outcome): return outcome
                }
            case UInt8(ascii: "?"):
                if text[position] == Self.slash { return .noMatch }
            case UInt8(ascii: "["):
                guard let isIn = matchesClass(&index, text[position]) else { return .abort }
                if !isIn || text[position] == Self.slash { return .noMatch }
            case Self.backslash:
                index += 1
                if self.symbol(index) != text[position] { return .noMatch }
            default:
                if symbol != text[position] { return .noMatch }
            }
            index += 1
            position += 1
        }
        return position == text.count ? .match : .noMatch
    }

    private enum AfterStars {
        /// `*/`: go on at the slash of the text.
        case slash(Int)
        case outcome(Outcome)
    }

    /// At a star, `index` on it. Nil: the text has no slash where the pattern wants one. Else either the whole rest has been
    /// decided, or `index` is left on the slash.
    private func skipComponent(_ index: inout Int, start: Int, at position: Int) -> AfterStars? {
        let first = index
        while symbol(index) == Self.star { index += 1 }
        var crossesSlashes = false
        if index - first > 1, first == start || pattern[first - 1] == Self.slash {
            let isWhole = symbol(index) == Self.backslash && symbol(index + 1) == Self.slash
            if symbol(index) == nil || symbol(index) == Self.slash || isWhole {
                // `**/` may stand for nothing at all.
                if symbol(index) == Self.slash, run(index + 1, position) == .match { return .outcome(.match) }
                crossesSlashes = true
            }
        }
        if symbol(index) == nil {
            let isMatch = crossesSlashes || !text[position...].contains(Self.slash)
            return .outcome(isMatch ? .match : .abortToStarStar)
        }
        if !crossesSlashes, symbol(index) == Self.slash {
            return text[position...].firstIndex(of: Self.slash).map { .slash($0) }
        }
        return .outcome(tryEverywhere(index, from: position, crossesSlashes: crossesSlashes))
    }

    private func tryEverywhere(_ index: Int, from position: Int, crossesSlashes: Bool) -> Outcome {
        for start in position..<max(position, text.count) {
            let outcome = run(index, start)
            if outcome == .noMatch {
                if !crossesSlashes, text[start] == Self.slash { return .abortToStarStar }
            } else if !crossesSlashes || outcome != .abortToStarStar {
                return outcome
            }
        }
        return .abort
    }

    // MARK: Classes

    /// Whether the byte is in the class that begins at `index`, which is left on its end; nil for one without end.
    private func matchesClass(_ index: inout Int, _ byte: UInt8) -> Bool? {
        index += 1
        var isNegated = false
        if symbol(index) == UInt8(ascii: "!") || symbol(index) == UInt8(ascii: "^") {
            isNegated = true
            index += 1
        }
        var isIn = false
        var previous: UInt8?
        repeat {
            guard let symbol = symbol(index) else { return nil }
            if symbol == UInt8(ascii: "-"), let low = previous, let end = self.symbol(index + 1),
                end != UInt8(ascii: "]")
            {
                index += 1
                guard let high = literal(&index) else { return nil }
                if low <= byte, byte <= high { isIn = true }
                previous = nil
            } else if symbol == UInt8(ascii: "["), self.symbol(index + 1) == UInt8(ascii: ":") {
                guard let named = namedClass(&index, byte) else { return nil }
                if named.isIn { isIn = true }
                previous = named.isLiteral ? symbol : nil
            } else {
                guard let single = literal(&index) else { return nil }
                if single == byte { isIn = true }
                previous = single
            }
            index += 1
        } while symbol(index) != UInt8(ascii: "]")
        return isIn != isNegated
    }

    /// One byte of a class; an escaped one by its letter.
    private func literal(_ index: inout Int) -> UInt8? {
        if symbol(index) == Self.backslash { index += 1 }
        return symbol(index)
    }

    /// `[:alpha:]` and its like. What does not end in `:]` is an ordinary bracket; nil for an unknown name.
    private func namedClass(_ index: inout Int, _ byte: UInt8) -> (isIn: Bool, isLiteral: Bool)? {
        let start = index + 2
        guard let end = pattern[min(start, pattern.count)...].firstIndex(of: UInt8(ascii: "]")) else { return nil }
        guard end - start >= 1, pattern[end - 1] == UInt8(ascii: ":") else {
            return (byte == UInt8(ascii: "["), true)
        }
        let name = String(decoding: pattern[start..<end - 1], as: UTF8.self)
        guard let isIn = Self.isByte(byte, in: name) else { return nil }
        index = end
        return (isIn, false)
    }

    private static func isByte(_ byte: UInt8, in name: String) -> Bool? {
        let isLower = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
        let isUpper = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
        let isDigit = (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        switch name {
        case "alnum": return isLower || isUpper || isDigit
        case "alpha": return isLower || isUpper
        case "blank": return byte == 0x20 || byte == 0x09
        case "cntrl": return byte < 0x20 || byte == 0x7F
        case "digit": return isDigit
        case "graph": return (0x21..<0x7F).contains(byte)
        case "lower": return isLower
        case "print": return (0x20..<0x7F).contains(byte)
        case "punct": return (0x21..<0x7F).contains(byte) && !(isLower || isUpper || isDigit)
        case "space": return byte == 0x20 || (0x09...0x0D).contains(byte)
        case "upper": return isUpper
        case "xdigit":
            return isDigit || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
                || (UInt8(ascii: "A")...UInt8(ascii: "F")).contains(byte)
        default: return nil
        }
    }
}
