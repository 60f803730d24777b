import CDbxShims

/// The checksum by which the local store notices damaged bytes: CRC-32C, by the processor's instruction where there is
/// one. Against accidents only; what comes from others is named by its SHA-256.
package enum CRC32C {
    /// `before`: the checksum of the bytes that these follow.
    package static func checksum(_ bytes: UnsafeRawBufferPointer, after before: UInt32 = 0) -> UInt32 {
        guard let start = bytes.baseAddress else { return before }
        return unsafe dbxfs_crc32c(before, start, UInt(bytes.count))
    }

    package static func checksum(_ bytes: [UInt8]) -> UInt32 {
        unsafe bytes.withUnsafeBytes { unsafe checksum($0) }
    }

    /// One checksum for each `frameBytes` of the bytes, the last one for what is left.
    package static func checksums(_ bytes: UnsafeRawBufferPointer, frameBytes: Int) -> [UInt32] {
        stride(from: 0, to: bytes.count, by: frameBytes).map { start in
            unsafe checksum(UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + frameBytes, bytes.count)]))
        }
    }
}
