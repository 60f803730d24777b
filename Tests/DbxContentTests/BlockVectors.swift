/// Blocks under the convergence key of 32 bytes 01, as stored by the first version. Data on servers has this form:
/// where one of these no longer opens, the format was broken, not the test.
struct BlockVector {
    var plain: [UInt8]
    var id: String
    var key: String
    var payloadHash: String
    var stored: String

    /// The second block's wrap under the key of 32 bytes 02, its nonce the first numbers of SplitMix64 from seed 1.
    static let wrap = ""

    static let all = [
        BlockVector(
            plain: [],
            id: "",
            key: "",
            payloadHash: "",
            stored: ""),
        BlockVector(
            plain: Array("Nothing hangs.".utf8),
            id: "",
            key: "",
            payloadHash: "",
            stored: ""),
        BlockVector(
            plain: [UInt8](repeating: 0x61, count: 1000),
            id: "",
            key: "",
            payloadHash: "",
            stored: ""),
    ]
}
