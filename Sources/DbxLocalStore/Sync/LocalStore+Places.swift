import DbxModel

/// Where the bytes of a file are. Holes are nowhere.
package struct ContentPlaces: Hashable, Sendable {
    /// Only here: the server does not have them.
    package var stagingBytes: Int64 = 0
    /// On the server, with a copy here.
    package var cachedBytes: Int64 = 0
    /// On the server only.
    package var remoteBytes: Int64 = 0
}

extension LocalStore {
    /// Asking counts as no use of the cache.
    package func places(of number: InodeNumber) throws(StoreError) -> ContentPlaces {
        var places = ContentPlaces()
        guard let node = try node(number), node.kind == .file, node.size > 0 else { return places }
        for extent in try content(number, 0..<node.size) {
            switch extent.source {
            case .staging: places.stagingBytes += extent.length
            case .block(let block, let offset):
                let cached = cachedBytes(of: offset..<offset + extent.length, in: block)
                places.cachedBytes += cached
                places.remoteBytes += extent.length - cached
            }
        }
        return places
    }
}
