import DbxModel
import DbxWire

/// Numbers of uploads.
enum Uploads {
    /// A block's content at its largest, with room for the header and the frames' tags.
    static let maximumStoredBytes = ContentLimits.maximumBlockBytes + (64 << 10)
    static let timeToLiveSeconds: Int64 = 300
    static let idleSeconds: Int64 = 7 * 24 * 3_600
}

/// Signed URLs of the server's own store (DESIGN §4.4): method, upload, exact length, SHA-256 and time of expiry are
/// signed; the hash travels as a header and the length as `Content-Length`.
struct UploadSigning: Sendable {
    let signer: Signer
    private static let hashHeader = "x-dbxfs-content-sha256"

    /// Nil without a signing key: then nobody may upload.
    func sign(_ upload: UploadID, block: BlockID, length: Int64, now: Timestamp) -> SignedUpload? {
        let expires = now.seconds + Uploads.timeToLiveSeconds
        guard let signature = signer.signature(of: Self.text("PUT", upload, block, length, expires)) else { return nil }
        let path = Route.upload.rawValue.replacing("{upload}", with: upload.hex)
        return SignedUpload(
            url: "\(path)?expires=\(expires)&signature=\(Base64URL.encode(signature))",
            headers: [Self.hashHeader: block.hex], expiresAt: Timestamp(seconds: expires, nanoseconds: 0))
    }

    /// The block and length that were signed for; throws `forbidden` for anything else.
    func check(_ incoming: IncomingUpload, now: Timestamp) throws -> (block: BlockID, length: Int64) {
        guard let length = incoming.contentLength else {
            throw Problem.badRequest("An upload states its Content-Length.")
        }
        guard let expires = incoming.query["expires"].flatMap({ Int64($0) }),
            let signature = incoming.query["signature"].flatMap({ Base64URL.decode($0) }),
            let block = incoming.headers[Self.hashHeader].flatMap({ BlockID(hex: $0) }),
            signer.verifies(
                signature, of: Self.text(incoming.method, incoming.upload, block, length, expires))
        else {
            throw Problem(kind: .forbidden, detail: "This upload is not what was signed: ask for uploads again.")
        }
        guard expires > now.seconds, expires <= now.seconds + Uploads.timeToLiveSeconds else {
            throw Problem(kind: .forbidden, detail: "The leave for this upload has expired: ask for uploads again.")
        }
        return (block, length)
    }

    private static func text(
        _ method: String, _ upload: UploadID, _ block: BlockID, _ length: Int64, _ expires: Int64
    ) -> [UInt8] {
        Array("dbxfs-upload-1\n\(method)\n\(upload.hex)\n\(block.hex)\n\(length)\n\(expires)".utf8)
    }
}
