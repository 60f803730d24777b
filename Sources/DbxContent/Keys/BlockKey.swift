package import Crypto
package import DbxModel

/// The key of one block, K_b. Never shown, never stored but wrapped.
package struct BlockKey: Hashable, Sendable, CustomStringConvertible {
    let bytes: [UInt8]

    /// Nil unless `bytes` are exactly 32.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        self.bytes = bytes
    }

    /// K_b = HKDF-SHA256(ikm K_conv, salt h, info "dbxfs/block/1").
    init(from convergence: ConvergenceKey, payloadHash: PayloadHash) {
        let derived = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: convergence.symmetric, salt: payloadHash.bytes, info: Array("dbxfs/block/1".utf8),
            outputByteCount: 32)
        bytes = unsafe derived.withUnsafeBytes { unsafe Array($0) }
    }

    var symmetric: SymmetricKey { SymmetricKey(data: bytes) }
    package var description: String { "BlockKey(hidden)" }
}

/// K_conv of one key domain: equal payloads sealed under it become equal blocks. Never shown.
package struct ConvergenceKey: Hashable, Sendable, CustomStringConvertible {
    private let bytes: [UInt8]

    /// Nil unless `bytes` are exactly 32.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        self.bytes = bytes
    }

    var symmetric: SymmetricKey { SymmetricKey(data: bytes) }
    package var description: String { "ConvergenceKey(hidden)" }
}

/// h: the SHA-256 of a block's payload, before it is sealed.
package struct PayloadHash: Hashable, Sendable {
    package let bytes: [UInt8]

    /// Nil unless `bytes` are exactly 32.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        self.bytes = bytes
    }

    init(_ digest: SHA256.Digest) { bytes = Array(digest) }
}

/// What opens one block: its key and the hash of what must come out. This is what a wrap seals.
package struct BlockSecrets: Hashable, Sendable {
    package let key: BlockKey
    package let payloadHash: PayloadHash

    package init(key: BlockKey, payloadHash: PayloadHash) {
        self.key = key
        self.payloadHash = payloadHash
    }
}

/// All that is needed to open one block: its name, secrets and lengths, as they come out of a wrap.
package struct BlockAccess: Hashable, Sendable {
    package let id: BlockID
    package let secrets: BlockSecrets
    package let layout: BlockLayout
    /// The block that it is encoded against. The block's own header says so too, and is believed.
    package let base: BlockID?

    package init(id: BlockID, secrets: BlockSecrets, layout: BlockLayout, base: BlockID? = nil) {
        self.id = id
        self.secrets = secrets
        self.layout = layout
        self.base = base
    }
}

extension BlockID {
    /// The name of the block with this stored form.
    package init(ofStored stored: [UInt8]) { self.init(SHA256.hash(data: stored)) }

    /// The name of the block whose stored form has been fed to a hasher.
    package init(_ digest: SHA256.Digest) {
        guard let id = Self(bytes: Array(digest)) else { fatalError("SHA-256 gives 32 bytes") }
        self = id
    }
}
