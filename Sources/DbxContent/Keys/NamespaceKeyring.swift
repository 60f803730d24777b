package import DbxModel
package import DbxWire
import Crypto

/// Why keys or a wrap could not be used.
package enum KeyringError: Error, Hashable, Sendable {
    /// A key that is not 32 bytes, or a current wrap key that is not among the wrap keys.
    case malformedKeys
    /// The namespace's keys do not contain the one a wrap names: ask for the session again.
    case unknownKey(KeyID)
    /// A reader has no key to make blocks with.
    case readOnly
    /// The wrap was made for another block, other lengths or another key, or is damaged.
    case wrapNotAuthentic
    /// The lengths that a wrap states are those of no block.
    case malformedWrap
}

/// The keys of one namespace in use: wraps and unwraps the secrets of its blocks (DESIGN §4.3). A value without locks;
/// made anew when the session brings other keys.
package struct NamespaceKeyring: Sendable {
    /// K_conv where blocks may be made.
    package let convergenceKey: ConvergenceKey?
    private let wrapKeys: [KeyID: SymmetricKey]
    private let currentWrapKey: KeyID?

    package init(_ keys: NamespaceKeys) throws(KeyringError) {
        var wrapKeys: [KeyID: SymmetricKey] = [:]
        for wrapKey in keys.wrapKeys {
            guard wrapKey.key.bytes.count == 32 else { throw .malformedKeys }
            wrapKeys[wrapKey.id] = SymmetricKey(data: wrapKey.key.bytes)
        }
        if let current = keys.currentWrapKey, wrapKeys[current] == nil { throw .malformedKeys }
        var convergenceKey: ConvergenceKey?
        if let bytes = keys.convergenceKey?.bytes {
            guard let key = ConvergenceKey(bytes: bytes) else { throw .malformedKeys }
            convergenceKey = key
        }
        self.wrapKeys = wrapKeys
        self.currentWrapKey = keys.currentWrapKey
        self.convergenceKey = convergenceKey
    }

    /// A sealer for blocks of this namespace; one for each thread.
    package func makeSealer() throws(KeyringError) -> BlockSealer {
        guard let convergenceKey else { throw .readOnly }
        return BlockSealer(convergenceKey: convergenceKey)
    }

    /// Wraps under the current wrap key: nonce ‖ AES-256-GCM(K_b ‖ h) ‖ tag, 92 bytes.
    package func wrap(_ access: BlockAccess, entropy: some Entropy) throws(KeyringError) -> BlockWrap {
        guard let id = currentWrapKey, let key = wrapKeys[id] else { throw .readOnly }
        let lengths = (plain: Int64(access.layout.plainBytes), stored: Int64(access.layout.storedBytes))
        let secrets = access.secrets.key.bytes + access.secrets.payloadHash.bytes
        do {
            let box = try AES.GCM.seal(
                secrets, using: key, nonce: AES.GCM.Nonce(data: entropy.bytes(12)),
                authenticating: Self.authenticated(access.id, lengths.plain, lengths.stored))
            return BlockWrap(
                sealed: Base64(Array(box.combined!)), key: id, plainBytes: lengths.plain, storedBytes: lengths.stored,
                base: access.base)
        } catch {
            fatalError("AES-GCM refused a 32-byte key or a 12-byte nonce: \(error)")
        }
    }

    /// What opens `block`, checked to have been wrapped for exactly this block and these lengths.
    package func open(_ wrap: BlockWrap, of block: BlockID) throws(KeyringError) -> BlockAccess {
        guard let key = wrapKeys[wrap.key] else { throw .unknownKey(wrap.key) }
        guard let layout = try? BlockLayout(plainBytes: wrap.plainBytes, storedBytes: wrap.storedBytes),
            wrap.sealed.bytes.count == Self.sealedBytes
        else { throw .malformedWrap }
        let opened: [UInt8]
        do {
            opened = Array(
                try AES.GCM.open(
                    AES.GCM.SealedBox(combined: wrap.sealed.bytes), using: key,
                    authenticating: Self.authenticated(block, wrap.plainBytes, wrap.storedBytes)))
        } catch {
            throw .wrapNotAuthentic
        }
        guard let blockKey = BlockKey(bytes: Array(opened.prefix(32))),
            let hash = PayloadHash(bytes: Array(opened.dropFirst(32)))
        else { throw .malformedWrap }
        return BlockAccess(
            id: block, secrets: BlockSecrets(key: blockKey, payloadHash: hash), layout: layout, base: wrap.base)
    }

    /// Nonce, K_b, h, tag.
    private static let sealedBytes = 12 + 32 + 32 + 16

    private static func authenticated(_ block: BlockID, _ plainBytes: Int64, _ storedBytes: Int64) -> [UInt8] {
        Array("dbxfs/wrap/1".utf8) + block.bytes + plainBytes.bigEndianBytes + storedBytes.bigEndianBytes
    }
}
