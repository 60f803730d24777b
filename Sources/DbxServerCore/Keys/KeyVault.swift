import Crypto
import DbxModel
import DbxServerStores
import DbxWire

/// The key hierarchy (DESIGN §4.3): master key → org key → keys of its namespaces and K_conv.
///
/// Each key is stored sealed by AES-256-GCM under the one above it, with its purpose and its owner's id
/// authenticated, so that a row put in another's place does not open. A value without locks.
struct KeyVault: Sendable {
    private let master: SymmetricKey
    private let entropy: any Entropy

    init(master: SymmetricKey, entropy: any Entropy) {
        self.master = master
        self.entropy = entropy
    }

    /// A key for one of the server's own signatures, never stored.
    func signingKey(_ purpose: String) -> SymmetricKey {
        HKDF<SHA256>.deriveKey(inputKeyMaterial: master, info: Array("dbxfs/\(purpose)/1".utf8), outputByteCount: 32)
    }

    func makeOrg(name: String, now: Timestamp) -> OrgRecord {
        let id = OrgID(from: entropy)
        let key = SymmetricKey(data: entropy.bytes(32))
        return OrgRecord(
            id: id, name: name, wrappedKey: seal(key, under: master, Self.orgContext(id)),
            wrappedConvergenceKey: seal(
                SymmetricKey(data: entropy.bytes(32)), under: key, Self.convergenceContext(id)),
            createdAt: now)
    }

    /// The first keys of a new namespace.
    func makeKeys(of namespace: NamespaceID, in org: OrgRecord) throws -> [NamespaceKeyRecord] {
        let orgKey = try open(org.wrappedKey, under: master, Self.orgContext(org.id))
        return [NamespaceKeyRecord.Purpose.wrap, .inline].map { purpose in
            let id = KeyID(from: entropy)
            let key = SymmetricKey(data: entropy.bytes(32))
            return NamespaceKeyRecord(
                namespace: namespace, id: id, purpose: purpose,
                wrapped: seal(key, under: orgKey, Self.context(namespace, id, purpose)), current: true)
        }
    }

    /// Throws when the master key does not open the org's keys.
    func check(_ org: OrgRecord) throws {
        let key = try open(org.wrappedKey, under: master, Self.orgContext(org.id))
        _ = try open(org.wrappedConvergenceKey, under: key, Self.convergenceContext(org.id))
    }

    /// What a device of a member gets; keys for making blocks only for those who may write.
    func keys(
        _ records: [NamespaceKeyRecord], in org: OrgRecord, mayWrite: Bool
    ) throws -> NamespaceKeys {
        let orgKey = try open(org.wrappedKey, under: master, Self.orgContext(org.id))
        let wraps = records.filter { $0.purpose == .wrap }
        let convergence = try open(org.wrappedConvergenceKey, under: orgKey, Self.convergenceContext(org.id))
        return NamespaceKeys(
            wrapKeys: try wraps.map { record in
                let key = try open(record.wrapped, under: orgKey, Self.context(record.namespace, record.id, .wrap))
                return WrapKey(id: record.id, key: Base64(key.bytes))
            },
            currentWrapKey: mayWrite ? wraps.first { $0.current }?.id : nil,
            convergenceKey: mayWrite ? Base64(convergence.bytes) : nil)
    }

    private static func orgContext(_ org: OrgID) -> [UInt8] { Array("dbxfs/org-key/1".utf8) + org.bytes }
    private static func convergenceContext(_ org: OrgID) -> [UInt8] {
        Array("dbxfs/convergence-key/1".utf8) + org.bytes
    }
    private static func context(
        _ namespace: NamespaceID, _ key: KeyID, _ purpose: NamespaceKeyRecord.Purpose
    ) -> [UInt8] {
        Array("dbxfs/namespace-key/\(purpose.rawValue)/1".utf8) + namespace.bytes + key.bytes
    }

    private func seal(_ key: SymmetricKey, under parent: SymmetricKey, _ context: [UInt8]) -> [UInt8] {
        do {
            let nonce = try AES.GCM.Nonce(data: entropy.bytes(12))
            let box = try AES.GCM.seal(key.bytes, using: parent, nonce: nonce, authenticating: context)
            return Array(box.nonce) + Array(box.ciphertext) + Array(box.tag)
        } catch {
            fatalError("AES-GCM refused a 32-byte key or a 12-byte nonce: \(error)")
        }
    }

    private func open(_ sealed: [UInt8], under parent: SymmetricKey, _ context: [UInt8]) throws -> SymmetricKey {
        let box = try AES.GCM.SealedBox(combined: sealed)
        return SymmetricKey(data: try AES.GCM.open(box, using: parent, authenticating: context))
    }
}

extension SymmetricKey {
    fileprivate var bytes: [UInt8] { unsafe withUnsafeBytes { unsafe Array($0) } }
}
