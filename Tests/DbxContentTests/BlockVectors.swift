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
}
