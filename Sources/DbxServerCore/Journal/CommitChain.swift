import Crypto
import DbxModel

/// The hash over all commits of a namespace: where two histories have the same hash at one seq, they are the same.
enum CommitChain {
    /// Before the first commit.
    static let start = [UInt8](repeating: 0, count: 32)

    static func next(after chain: [UInt8], seq: Seq, commit: CommitID, digest: [UInt8]) -> [UInt8] {
        Array(SHA256.hash(data: chain + seq.value.bigEndianBytes + commit.bytes + digest))
    }
}
