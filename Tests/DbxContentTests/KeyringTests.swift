import DbxContent
import DbxModel
import DbxTestKit
import DbxWire
import Testing

@Suite("Keyrings")
struct KeyringTests {
    private let random = SeededEntropy(seed: 11)
    private let wrapKeys = (1...2).map {
        WrapKey(id: KeyID(high: 0, low: $0), key: Base64([UInt8](repeating: UInt8($0), count: 32)))
    }
    private var keys: NamespaceKeys {
        NamespaceKeys(
            wrapKeys: wrapKeys, currentWrapKey: wrapKeys[1].id,
            convergenceKey: Base64([UInt8](repeating: 1, count: 32)))
    }

    @Test("open what they wrapped, under any of their keys")
    func roundTrip() throws {
        let ring = try NamespaceKeyring(keys)
        let block = try ring.makeSealer().seal(prose(1000).span)
        let wrap = try ring.wrap(block.access, entropy: random)
        #expect(wrap.key == wrapKeys[1].id)
        #expect(wrap.sealed.bytes.count == 92)
        #expect(try ring.open(wrap, of: block.id) == block.access)
        let reader = try NamespaceKeyring(
            NamespaceKeys(wrapKeys: wrapKeys, currentWrapKey: nil, convergenceKey: nil))
        #expect(try reader.open(wrap, of: block.id) == block.access)
        #expect(throws: KeyringError.readOnly) { try reader.wrap(block.access, entropy: random) }
        #expect(throws: KeyringError.readOnly) { try reader.makeSealer() }
        #expect(try BlockOpener().open(block.stored, reader.open(wrap, of: block.id)) == prose(1000))
    }

    @Test("refuse a wrap of another block, other lengths, another key, or with any bit changed")
    func substitution() throws {
        let ring = try NamespaceKeyring(keys)
        let block = try ring.makeSealer().seal(prose(1000).span)
        let wrap = try ring.wrap(block.access, entropy: random)
        let otherBlock = BlockID(ofStored: [1])
        #expect(throws: KeyringError.wrapNotAuthentic) { try ring.open(wrap, of: otherBlock) }
        var changed = wrap
        changed.plainBytes += 1
        #expect(throws: KeyringError.wrapNotAuthentic) { try ring.open(changed, of: block.id) }
        changed = wrap
        changed.key = wrapKeys[0].id
        #expect(throws: KeyringError.wrapNotAuthentic) { try ring.open(changed, of: block.id) }
        changed.key = KeyID(high: 9, low: 9)
        #expect(throws: KeyringError.unknownKey(changed.key)) { try ring.open(changed, of: block.id) }
        for bit in 0..<92 * 8 {
            var damaged = wrap
            damaged.sealed.bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(throws: KeyringError.wrapNotAuthentic) { try ring.open(damaged, of: block.id) }
        }
    }

    @Test("refuse wraps of impossible size without a trap")
    func hostileWraps() throws {
        let ring = try NamespaceKeyring(keys)
        for length in [0, 11, 12, 27, 28, 91, 93, 10_000] {
            let wrap = BlockWrap(
                sealed: Base64([UInt8](repeating: 0, count: length)), key: wrapKeys[0].id, plainBytes: 1,
                storedBytes: 25)
            #expect(throws: KeyringError.malformedWrap) { try ring.open(wrap, of: BlockID(ofStored: [])) }
        }
        for number in [Int64.min, -1, .max] {
            let wrap = BlockWrap(
                sealed: Base64([UInt8](repeating: 0, count: 92)), key: wrapKeys[0].id, plainBytes: number,
                storedBytes: number)
            #expect(throws: KeyringError.malformedWrap) { try ring.open(wrap, of: BlockID(ofStored: [])) }
        }
    }

    @Test("are not made of keys of the wrong length or without their current key")
    func malformedKeys() {
        let short = Base64([1, 2, 3])
        for keys in [
            NamespaceKeys(
                wrapKeys: [WrapKey(id: wrapKeys[0].id, key: short)], currentWrapKey: nil, convergenceKey: nil),
            NamespaceKeys(wrapKeys: wrapKeys, currentWrapKey: nil, convergenceKey: short),
            NamespaceKeys(wrapKeys: [], currentWrapKey: wrapKeys[0].id, convergenceKey: nil),
        ] {
            #expect(throws: KeyringError.malformedKeys) { try NamespaceKeyring(keys) }
        }
    }

    @Test("open a wrap that was stored long ago")
    func vector() throws {
        let ring = try NamespaceKeyring(keys)
        let vector = BlockVector.all[1]
        let block = try ring.makeSealer().seal(vector.plain.span)
        let wrap = BlockWrap(
            sealed: Base64([UInt8](hex: BlockVector.wrap)!), key: wrapKeys[1].id, plainBytes: 14, storedBytes: 38)
        #expect(try ring.open(wrap, of: BlockID(hex: vector.id)!) == block.access)
        #expect(try ring.wrap(block.access, entropy: SeededEntropy(seed: 1)) == wrap)
    }
}
