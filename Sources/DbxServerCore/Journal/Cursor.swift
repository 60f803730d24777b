import DbxModel

/// A position in a namespace's journal, as clients hold it: opaque to them, and signed.
///
/// Text form: base64url of version 2, namespace (16), epoch (16), seq (8), known (8), chain (32), tombstonesAfter (8) and
/// the HMAC-SHA256 of all that (32).
struct Cursor: Hashable, Sendable {
    var namespace: NamespaceID
    var epoch: [UInt8]
    /// What lies behind it is still to be told.
    var seq: Seq
    /// The newest commit of which the client knows: its own ones lie behind `seq`.
    var known: Seq
    /// The hash over all commits up to `known`.
    var chain: [UInt8]
    /// Older tombstones are not sent: the client began behind them.
    var tombstonesAfter: Seq

    private static let length = 1 + 16 + 16 + 8 + 8 + 32 + 8

    func text(_ signer: Signer) -> String {
        let body =
            [2] + namespace.bytes + epoch + seq.value.bigEndianBytes + known.value.bigEndianBytes + chain
            + tombstonesAfter.value.bigEndianBytes
        return Base64URL.encode(body + (signer.signature(of: body) ?? []))
    }

    /// Nil where the text is not one that this server signed.
    init?(text: String, _ signer: Signer) {
        guard text.utf8.count < 400, let bytes = Base64URL.decode(text), bytes.count == Self.length + 32 else {
            return nil
        }
        let body = Array(bytes.prefix(Self.length))
        guard signer.verifies(Array(bytes.suffix(32)), of: body), body[0] == 2,
            let namespace = NamespaceID(bytes: body[1..<17])
        else { return nil }
        func seq(_ start: Int) -> Seq { Seq(Int64(bitPattern: body[start..<start + 8].bigEndianValue)) }
        self.init(
            namespace: namespace, epoch: Array(body[17..<33]), seq: seq(33), known: seq(41),
            chain: Array(body[49..<81]), tombstonesAfter: seq(81))
    }

    init(namespace: NamespaceID, epoch: [UInt8], seq: Seq, known: Seq, chain: [UInt8], tombstonesAfter: Seq) {
        self.namespace = namespace
        self.epoch = epoch
        self.seq = seq
        self.known = known
        self.chain = chain
        self.tombstonesAfter = tombstonesAfter
    }
}
