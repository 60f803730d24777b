internal import CFuse3
internal import Glibc

extension FuseConnection {
    /// Agrees with the kernel on what both can do, asking the file system last.
    func negotiate(_ info: inout fuse_conn_info) {
        var terms = FuseConnectionInfo(
            protocolMinor: info.proto_minor, offered: FuseCapabilities(rawValue: info.capable),
            wanted: options.capabilities.intersection(FuseCapabilities(rawValue: info.capable)),
            maximumWriteBytes: options.maximumWriteBytes,
            maximumReadAheadBytes: options.maximumReadAheadBytes,
            maximumBackground: options.maximumBackground)
        operations.initialize(&terms)
        // In place of libfuse's own wishes, among them splice: replies from a buffer are faster here (DESIGN §5.2).
        info.want = terms.wanted.intersection(terms.offered).rawValue
        info.max_write = min(info.max_write, terms.maximumWriteBytes)
        info.max_readahead = terms.maximumReadAheadBytes
        info.max_background = terms.maximumBackground
        info.congestion_threshold = terms.maximumBackground * 3 / 4
    }
}
