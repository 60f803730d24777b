import DbxContent
import DbxLocalStore
import DbxModel
import Synchronization

/// Finds, for the blocks of one file's new content, those of the content that it replaces and that they may be encoded
/// against. What is edited in place stands where it stood; what an editor writes anew stands where it stood from the
/// beginning, or, behind the edit, from the end.
///
/// Sendable: the file's block threads share it.
final class BlockBases: Sendable {
    private let old: ExtentList
    /// By how much the content grew; 0 where it was edited in place.
    private let shift: Int64
    private let misses = Mutex(0)

    /// Content that has nothing in common with what it replaces is not compared to its end.
    private static let mostMisses = 4

    init(_ snapshot: UploadSnapshot, replacing old: [Extent]) {
        self.old = (try? ExtentList(validating: old)) ?? ExtentList()
        shift = snapshot.isNewStream ? snapshot.size - self.old.end : 0
    }

    /// The block that held the byte at `offset`.
    func block(at offset: Int64) -> BlockID? {
        offset < 0 ? nil : old.slices(of: offset..<offset + 1).first?.block
    }

    /// The likeliest first.
    func candidates(for planned: PlannedBlock) -> [BlockID] {
        guard let first = planned.pieces.first, misses.withLock({ $0 < Self.mostMisses }) else { return [] }
        let middle = first.lowerBound + Int64(first.count / 2)
        let places = shift == 0 ? [middle] : [middle, middle - shift]
        var blocks: [BlockID] = []
        for block in places.compactMap({ block(at: $0) }) where !blocks.contains(block) { blocks.append(block) }
        return blocks
    }

    /// Whether one of the candidates served.
    func note(success: Bool) { misses.withLock { $0 = success ? 0 : $0 + 1 } }
}
