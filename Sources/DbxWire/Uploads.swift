package import DbxModel

/// `POST /v1/namespaces/{namespace}/uploads`: asks for leave to upload blocks. Each grant pins its block until it is
/// committed, cancelled, or idle for 7 days, and counts against the quota.
package struct UploadRequest: Hashable, Sendable, Codable {
    package var blocks: [OfferedBlock]

    package init(blocks: [OfferedBlock]) { self.blocks = blocks }

    package static let maximumBlocks = 1_000
}

package struct OfferedBlock: Hashable, Sendable, Codable {
    package var id: BlockID
    package var storedBytes: Int64

    package init(id: BlockID, storedBytes: Int64) {
        self.id = id
        self.storedBytes = storedBytes
    }
}

package struct UploadResponse: Hashable, Sendable, Codable {
    /// One for each offered block, in the same order.
    package var grants: [UploadGrant]

    package init(grants: [UploadGrant]) { self.grants = grants }
}

package struct UploadGrant: Hashable, Sendable, Codable {
    package var id: BlockID
    /// Nil where the block need not be sent: a namespace that the user can read has it, or this device has a receipt.
    package var upload: SignedUpload?

    package init(id: BlockID, upload: SignedUpload?) {
        self.id = id
        self.upload = upload
    }
}

/// `POST /v1/namespaces/{namespace}/packs`: the bytes of many granted blocks of at most
/// `ContentLimits.maximumPackedBytes`, in frames (`BlockFrame`). Which blocks they are their hashes say.
package struct PackResponse: Hashable, Sendable, Codable {
    /// In order, whether this device has a receipt now. Where it has not, the block is sent alone, and the answer to that
    /// says why.
    package var stored: [Bool]

    package init(stored: [Bool]) { self.stored = stored }

    package static let maximumBlocks = 256
    /// Of the body, lengths and all.
    package static let maximumBytes = 8 << 20
}

/// Where to PUT the bytes. `url` may be relative to the server's; `headers` are sent exactly as given.
package struct SignedUpload: Hashable, Sendable, Codable {
    package var url: String
    package var headers: [String: String]
    package var expiresAt: Timestamp

    package init(url: String, headers: [String: String], expiresAt: Timestamp) {
        self.url = url
        self.headers = headers
        self.expiresAt = expiresAt
    }
}
