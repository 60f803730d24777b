/// Tells sequential reading of one open file from random, and says what to fetch, and what ahead. A value; pure.
///
/// The kernel sends the reads of one window in any order, so a read near the expected place counts as sequential. A
/// window opens only after `patience` bytes, so that a glance at a file's beginning fetches one block.
struct Readahead {
    static let smallestWindow: Int64 = 1 << 20
    static let largestWindow: Int64 = 32 << 20
    static let patience: Int64 = 256 << 10
    /// How far from the expected place a read may lie.
    static let tolerance: Int64 = 2 << 20

    /// A shorter stretch is read by what it asks for, rounded to frames; a longer one by whole blocks.
    static let patienceForBlocks: Int64 = 128 << 10
    /// Files up to this size are always read by whole blocks: there is little that would not be wanted.
    static let smallFile: Int64 = 4 << 20

    private var expected: Int64 = 0
    private var run: Int64 = 0
    private var window: Int64 = 0
    /// Everything before this has been asked for.
    private var fetchedUntil: Int64 = 0

    /// Whether the blocks that hold `range`, which is about to be read, are worth fetching as a whole.
    func wantsBlocks(for range: Range<Int64>, size: Int64) -> Bool {
        size <= Self.smallFile
            || abs(range.lowerBound - expected) <= Self.tolerance
                && run + Int64(range.count) >= Self.patienceForBlocks
    }

    /// The range to fetch now, after a read of `range` in a file of `size` bytes; empty for nothing.
    mutating func next(after range: Range<Int64>, size: Int64) -> Range<Int64> {
        let nothing = range.upperBound..<range.upperBound
        guard abs(range.lowerBound - expected) <= Self.tolerance else {
            self = Readahead()
            expected = range.upperBound
            return nothing
        }
        expected = max(expected, range.upperBound)
        run += Int64(range.count)
        guard run >= Self.patience, expected < size else { return nothing }
        // Half of the window is still under way: enough.
        if window > 0, fetchedUntil - expected > window / 2 { return nothing }
        window = min(max(window * 2, Self.smallestWindow), Self.largestWindow)
        let start = max(fetchedUntil, expected)
        let end = min(expected + window, size)
        guard start < end else { return nothing }
        fetchedUntil = end
        return start..<end
    }
}
