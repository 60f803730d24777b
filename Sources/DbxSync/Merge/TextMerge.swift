package import DbxLocalStore

/// Two versions of a text and the one that both come from, made into one: what either changed is in it. Pure; the same
/// whichever version is called ours. As diff3 does ("A Formal Investigation of Diff3", Khanna, Kunal, Pierce, 2007), and
/// as git does where changes meet: lines that both sides changed, or that stand next to each other with no common line
/// between, are left to a person, unless both sides made the same of them.
package enum TextMerge {
    /// Of each of the three.
    package static let largestBytes = 1 << 20

    package enum Outcome: Hashable, Sendable {
        case merged([UInt8])
        case notMerged(MergeObstacle)
    }

    package static func merge(base: [UInt8], ours: [UInt8], theirs: [UInt8]) -> Outcome {
        let texts = [base, ours, theirs]
        guard texts.allSatisfy({ $0.count <= largestBytes }) else { return .notMerged(.large) }
        guard texts.allSatisfy(isText) else { return .notMerged(.noText) }
        if ours == theirs || theirs == base { return .merged(ours) }
        if ours == base { return .merged(theirs) }
        var numbers: [ArraySlice<UInt8>: Int32] = [:]
        let before = TextLines(base, &numbers)
        let merger = Merger(
            base: before, ours: Side(TextLines(ours, &numbers), since: before),
            theirs: Side(TextLines(theirs, &numbers), since: before))
        return merger.merged().map(Outcome.merged) ?? .notMerged(.overlap)
    }

    private static func isText(_ bytes: [UInt8]) -> Bool {
        !bytes.contains(0) && String(validating: bytes, as: UTF8.self) != nil
    }
}

/// A text as lines, each with its end; the last one may have none. The same line has the same number.
private struct TextLines {
    let bytes: [UInt8]
    /// Where each line begins, and where the last one ends.
    private(set) var starts: [Int] = [0]
    private(set) var numbers: [Int32] = []

    init(_ bytes: [UInt8], _ known: inout [ArraySlice<UInt8>: Int32]) {
        self.bytes = bytes
        while let start = starts.last, start < bytes.count {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? bytes.count
            let line = bytes[start..<end]
            let number = known[line] ?? Int32(known.count)
            known[line] = number
            numbers.append(number)
            starts.append(end)
        }
    }

    func text(of lines: Range<Int>) -> ArraySlice<UInt8> { bytes[starts[lines.lowerBound]..<starts[lines.upperBound]] }
}

/// One version, and how it differs from the base.
private struct Side {
    let lines: TextLines
    let hunks: [LineDiff.Hunk]

    init(_ lines: TextLines, since base: TextLines) {
        self.lines = lines
        hunks = LineDiff.hunks(from: base.numbers, to: lines.numbers)
    }
}

private struct Merger {
    /// How far a version has been gone through: hunks that are done, and by how many lines those made it longer.
    private struct Position {
        var hunk = 0
        var shift = 0
    }

    let base: TextLines
    let ours: Side
    let theirs: Side

    /// Nil where both changed the same.
    func merged() -> [UInt8]? {
        var text: [UInt8] = []
        var (here, there) = (Position(), Position())
        var done = 0
        while let start = [next(ours, here), next(theirs, there)].compactMap(\.?.old.lowerBound).min() {
            text += base.text(of: done..<start)
            let before = (here, there)
            done = take(from: start, &here, &there)
            let mine = changed(ours, start..<done, from: before.0, to: here)
            let other = changed(theirs, start..<done, from: before.1, to: there)
            if let mine, let other, ours.lines.numbers[mine] != theirs.lines.numbers[other] { return nil }
            if let mine {
                text += ours.lines.text(of: mine)
            } else if let other {
                text += theirs.lines.text(of: other)
            }
        }
        return text + base.text(of: done..<base.numbers.count)
    }

    private func next(_ side: Side, _ position: Position) -> LineDiff.Hunk? {
        position.hunk < side.hunks.count ? side.hunks[position.hunk] : nil
    }

    /// Goes past the hunks of both that meet, the first of which begins at `start`; returns where the last of them ends in
    /// the base.
    private func take(from start: Int, _ here: inout Position, _ there: inout Position) -> Int {
        var end = start
        while true {
            if let hunk = next(ours, here), hunk.old.lowerBound <= end {
                end = pass(hunk, &here, end)
            } else if let hunk = next(theirs, there), hunk.old.lowerBound <= end {
                end = pass(hunk, &there, end)
            } else {
                return end
            }
        }
    }

    private func pass(_ hunk: LineDiff.Hunk, _ position: inout Position, _ end: Int) -> Int {
        position.hunk += 1
        position.shift += hunk.new.count - hunk.old.count
        return max(end, hunk.old.upperBound)
    }

    /// What a version has in the place of these lines of the base; nil where it left them as they were.
    private func changed(_ side: Side, _ range: Range<Int>, from: Position, to: Position) -> Range<Int>? {
        guard from.hunk < to.hunk else { return nil }
        return range.lowerBound + from.shift..<range.upperBound + to.shift
    }
}
