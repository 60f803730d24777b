import DbxLocalStore
import DbxModel
import DbxWire

extension AgreedBlock {
    var wireWrap: BlockWrap {
        BlockWrap(sealed: Base64(wrap), key: key, plainBytes: plainBytes, storedBytes: storedBytes, base: base)
    }

    init(_ id: BlockID, _ wrap: BlockWrap) {
        self.init(
            id: id, wrap: wrap.sealed.bytes, key: wrap.key, plainBytes: wrap.plainBytes, storedBytes: wrap.storedBytes,
            base: wrap.base)
    }
}
