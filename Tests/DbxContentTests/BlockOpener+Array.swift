import DbxContent

extension BlockOpener {
    /// The block's whole content.
    func open(_ stored: [UInt8], _ access: BlockAccess) throws(BlockError) -> [UInt8] {
        var content: [UInt8] = []
        try open(stored, access) { part in part.withUnsafeBytes { content.append(contentsOf: $0) } }
        return content
    }
}
