import CDbxShims

/// The checksum by which the local store notices damaged bytes: CRC-32C, by the processor's instruction where there is
/// one. Against accidents only; what comes from others is named by its SHA-256.
package enum CRC32C {
    package static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        guard let start = bytes.baseAddress else { return 0 }
        return unsafe dbxfs_crc32c(0, start, UInt(bytes.count))
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
