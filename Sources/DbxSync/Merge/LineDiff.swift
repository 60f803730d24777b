/// Where two texts differ, line by line. Lines are numbers here: the same number, the same line. Pure and deterministic.
///
/// Lines that stand once in both texts are held fast first, in the longest order that both share (patience diff); what
/// lies between them is compared by Myers' greedy algorithm ("An O(ND) Difference Algorithm and Its Variations", 1986).
/// Both are bounded: a stretch that differs too much counts as replaced, which is a correct answer and a longer one.
struct LineDiff {
    /// `old` lines give way to `new` ones; either may be empty. Between two hunks there is at least one common line.
    struct Hunk: Hashable {
        var old: Range<Int>
        var new: Range<Int>
    }

    /// Two stretches that have not been compared yet.
    private struct Stretch {
        var old: Range<Int>
        var new: Range<Int>
        /// How often it was cut.
        var depth: Int
    }

    private static let deepest = 64
    private static let mostEdits = 1_000
    private static let mostSteps = 100_000_000

    private let old: [Int32]
    private let new: [Int32]
    /// By line of `old`, the line of `new` that it is; -1 where there is none.
    private var matches: [Int]

    static func hunks(from old: [Int32], to new: [Int32]) -> [Hunk] {
        var diff = LineDiff(old: old, new: new)
        diff.compare()
        return diff.hunks
    }

    private init(old: [Int32], new: [Int32]) {
        self.old = old
        self.new = new
        matches = Array(repeating: -1, count: old.count)
    }

    private mutating func compare() {
        var waiting = [Stretch(old: 0..<old.count, new: 0..<new.count, depth: 0)]
        while let next = waiting.popLast() {
            let rest = trim(next)
            guard !rest.old.isEmpty, !rest.new.isEmpty else { continue }
            let anchors = rest.depth < Self.deepest ? anchors(of: rest) : []
            if anchors.isEmpty {
                match(rest)
            } else {
                waiting += cut(rest, at: anchors)
            }
        }
    }

    /// Matches what both begin and end with; returns what is left.
    private mutating func trim(_ stretch: Stretch) -> Stretch {
        var (from, to) = (stretch.old.lowerBound, stretch.new.lowerBound)
        var (oldEnd, newEnd) = (stretch.old.upperBound, stretch.new.upperBound)
        while from < oldEnd, to < newEnd, old[from] == new[to] {
            matches[from] = to
            from += 1
            to += 1
        }
        while from < oldEnd, to < newEnd, old[oldEnd - 1] == new[newEnd - 1] {
            oldEnd -= 1
            newEnd -= 1
            matches[oldEnd] = newEnd
        }
        return Stretch(old: from..<oldEnd, new: to..<newEnd, depth: stretch.depth)
    }

    // MARK: Lines that stand once

    /// Those that stand once in both, as far as both have them in one order.
    private func anchors(of stretch: Stretch) -> [(old: Int, new: Int)] {
        let there = Self.single(stretch.new, of: new)
        let here = Self.single(stretch.old, of: old)
        let pairs = here.compactMap { line, place in there[line].map { (old: place, new: $0) } }
            .sorted { $0.old < $1.old }
        return Self.longestRise(pairs)
    }

    /// Where each line stands that stands once in the range.
    private static func single(_ range: Range<Int>, of lines: [Int32]) -> [Int32: Int] {
        var places: [Int32: Int] = [:]
        for place in range {
            places[lines[place]] = places[lines[place]] == nil ? place : -1
        }
        return places.filter { $0.value >= 0 }
    }

    /// The longest part of pairs, ordered by `old`, in which `new` rises too (patience sorting).
    private static func longestRise(_ pairs: [(old: Int, new: Int)]) -> [(old: Int, new: Int)] {
        /// The last pair of the best rise of each length, and before each pair the one that it goes on from.
        var tops: [Int] = []
        var before = Array(repeating: -1, count: pairs.count)
        for (index, pair) in pairs.enumerated() {
            var (low, high) = (0, tops.count)
            while low < high {
                let middle = (low + high) / 2
                if pairs[tops[middle]].new < pair.new { low = middle + 1 } else { high = middle }
            }
            if low > 0 { before[index] = tops[low - 1] }
            if low == tops.count { tops.append(index) } else { tops[low] = index }
        }
        var rise: [(old: Int, new: Int)] = []
        var index = tops.last ?? -1
        while index >= 0 {
            rise.append(pairs[index])
            index = before[index]
        }
        return rise.reversed()
    }

    private mutating func cut(_ stretch: Stretch, at anchors: [(old: Int, new: Int)]) -> [Stretch] {
        var parts: [Stretch] = []
        var (from, to) = (stretch.old.lowerBound, stretch.new.lowerBound)
        for anchor in anchors {
            matches[anchor.old] = anchor.new
            parts.append(Stretch(old: from..<anchor.old, new: to..<anchor.new, depth: stretch.depth + 1))
            (from, to) = (anchor.old + 1, anchor.new + 1)
        }
        let last = Stretch(
            old: from..<stretch.old.upperBound, new: to..<stretch.new.upperBound, depth: stretch.depth + 1)
        return parts + [last]
    }

    // MARK: The rest

    /// `reach` tells by diagonal (old line minus new line) how far in the old stretch so many edits can come; what it was
    /// before each further edit is kept, to find the way back.
    private mutating func match(_ stretch: Stretch) {
        let (old, new) = (Array(old[stretch.old]), Array(new[stretch.new]))
        let most = min(old.count + new.count, Self.mostEdits, max(16, Self.mostSteps / (old.count + new.count)))
        var reach = Array(repeating: 0, count: 2 * most + 3)
        let middle = most + 1
        var trail: [[Int32]] = []
        for edits in 0...most {
            trail.append(reach[middle - edits...middle + edits].map(Int32.init))
            for diagonal in stride(from: -edits, through: edits, by: 2) {
                let isNew =
                    diagonal == -edits
                    || (diagonal != edits && reach[middle + diagonal - 1] < reach[middle + diagonal + 1])
                var x = isNew ? reach[middle + diagonal + 1] : reach[middle + diagonal - 1] + 1
                while x < old.count, x - diagonal < new.count, old[x] == new[x - diagonal] { x += 1 }
                reach[middle + diagonal] = x
                if diagonal == old.count - new.count, x >= old.count { return goBack(trail, stretch) }
            }
        }
    }

    private mutating func goBack(_ trail: [[Int32]], _ stretch: Stretch) {
        var (x, y) = (stretch.old.count, stretch.new.count)
        for (edits, reach) in trail.enumerated().reversed() {
            var (fromX, fromY) = (0, 0)
            if edits > 0 {
                let place = x - y + edits
                let isNew = x - y == -edits || (x - y != edits && reach[place - 1] < reach[place + 1])
                fromX = Int(reach[isNew ? place + 1 : place - 1])
                fromY = fromX - (isNew ? x - y + 1 : x - y - 1)
            }
            while x > fromX, y > fromY {
                x -= 1
                y -= 1
                matches[stretch.old.lowerBound + x] = stretch.new.lowerBound + y
            }
            (x, y) = (fromX, fromY)
        }
    }

    // MARK: The answer

    private var hunks: [Hunk] {
        var hunks: [Hunk] = []
        var (from, to) = (0, 0)
        for (line, match) in matches.enumerated() where match >= 0 {
            if from < line || to < match { hunks.append(Hunk(old: from..<line, new: to..<match)) }
            (from, to) = (line + 1, match + 1)
        }
        if from < old.count || to < new.count { hunks.append(Hunk(old: from..<old.count, new: to..<new.count)) }
        return hunks
    }
}
