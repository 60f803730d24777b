/// Made and checked with a second implementation, in Python, of docs/FORMAT.md.
///
/// Blocks under the convergence key of 32 bytes 01, as stored by the first version. Data on servers has this form:
/// where one of these no longer opens, the format was broken, not the test.
struct BlockVector {
    var plain: [UInt8]
    var id: String
    var key: String
    var payloadHash: String
    var stored: String

    /// The second block's wrap under the key of 32 bytes 02, its nonce the first numbers of SplitMix64 from seed 1.
    static let wrap =
        "910a2dec89025cc1beeb8da15c2b5ded6df7c26530eb5433f3a6d6ea91c2450040a86e207b9e14a48b91bfbb0b5c"
        + "fa0429ee8847e3982c3815520cdc47f98757e8cb6d590f7bd28237df26d8ed98ff662221841c8f7bbc456557040f"

    static let all = [
        BlockVector(
            plain: [],
            id: "c8d6be3882dcd41a2bf82c8a64cfe081da28c5b407f1089c09995099d57ebe93",
            key: "36a33b70324fbf4391928ba810439cdad207a857f85a47dcb619400c09f590b4",
            payloadHash: "7c9fa136d4413fa6173637e883b6998d32e1d675f88cddff9dcbcf331820f4b8",
            stored: "329ff82dd513cf73b247aee4ed4936f9b4927c78272d14f1"),
        BlockVector(
            plain: Array("Nothing hangs.".utf8),
            id: "3712315277d8475e84606f49591d1e6e422d75dd76818eef8e7014dfd784f88f",
            key: "73f06ca356dec569232eea6bcd109bd6ec110ff516c7314e042cd11d564fff1f",
            payloadHash: "7b74006c4017a5f4a625eed1fc1b1741132f5ec2993b538b446177ea4ea9b4e2",
            stored: "f360cfb67e7c43861f48618af61a14fe2679724015e143149b288f4de24a4a6601f7bfbf3f8a"),
        BlockVector(
            plain: [UInt8](repeating: 0x61, count: 1000),
            id: "d04b3a7c62bf2fe6d0c89db9d1c3b326c35e90a6ca5cafbebf86c31aa5e3330b",
            key: "b228ab3a24ece7bc22d251a063d72d45c36d1913f50ddac10367859ecdf760b3",
            payloadHash: "52930adf11301e6aeb99bd8908a95f98319ee506d89c388752d4394611e05914",
            stored: "fd368f3117d6faaa57faaa07b8899a8a316f54a253f27fe0e9177451602aa332c965032ac856a90438c6bc"),
    ]

    /// What the block below is encoded against: the first 250 numbers of SplitMix64 from seed 7, big-endian, stored raw.
    static let base = (
        id: "926b835874a3d0fe5348e4ffd8e0a74984ec837fcc37376f12bfc88a632d8375", seed: UInt64(7), numbers: 250
    )

    /// A line more in the middle of that. The frame was made with the base as a raw dictionary, a window of 8 MiB and a checksum.
    static func withBase(_ base: [UInt8]) -> BlockVector {
        BlockVector(
            plain: base[..<1_000] + Array("a new line\n".utf8) + base[1_000...],
            id: "6be0e0ff81755eca5ac9c6182ad9292f78d1a3c7df17bbf40824c6b5073e9f54",
            key: "3f11a322d4fe8134ec1adf168bd562aef275489e0ef9466e4298e8960cd0207b",
            payloadHash: "121280a31507b829d7a4b1820359799be341427878a04128bac73b935f8c5670",
            stored: "19770f94135100a3e054f475698d3eab777dd364a149ae2861a15bd91f15b9896cb127ee31933bbccaa88a9201aa88"
                + "c9e3fb54dfb709951281db0b601a853f3edf20bba1e358f8237c0e67eec2fab06e81c62c17aaa8ebc309cdd0e5c8")
    }
}
