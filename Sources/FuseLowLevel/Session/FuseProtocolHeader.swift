internal import CFuse3
internal import Glibc

/// What libfuse 3.14 does not pass on of a request, read from its bytes (linux/fuse.h, stable since protocol 7.33).
@safe struct FuseProtocolHeader {
    private let bytes: UnsafeRawBufferPointer

    /// `bytes` are one request as it came from the kernel: a header of 40 bytes, then its arguments.
    init(_ bytes: UnsafeRawBufferPointer) { unsafe self.bytes = bytes }

    private enum Opcode {
        static let setAttributes: UInt32 = 4
        static let open: UInt32 = 14
        static let write: UInt32 = 16
        static let initialize: UInt32 = 26
        static let create: UInt32 = 35
        static let createTemporary: UInt32 = 51
    }

    /// FUSE_HANDLE_KILLPRIV_V2 among the flags of INIT.
    static let handlesPrivileges: UInt32 = 1 << 28

    var isInitialization: Bool { word(at: 4) == Opcode.initialize }

    /// The kernel's flags in an INIT request.
    var initializationFlags: UInt32 { word(at: 40 + 12) }

    /// O_TMPFILE, which libfuse 3.14 does not know.
    var createsTemporaryFile: Bool { word(at: 4) == Opcode.createTemporary }

    /// Turns a FUSE_TMPFILE request, which begins at `start`, into a FUSE_CREATE of the same arguments: the name in it is
    /// `temporaryName`, which no other creation has.
    static func turnIntoCreation(_ start: UnsafeMutableRawPointer) {
        unsafe start.storeBytes(of: Opcode.create, toByteOffset: 4, as: UInt32.self)
    }

    /// What the kernel names a file that has no name.
    static let temporaryName = UInt8(ascii: "/")

    /// FUSE_WRITE_KILL_SUIDGID, FATTR_KILL_SUIDGID or FUSE_OPEN_KILL_SUIDGID is set.
    var clearsSetID: Bool {
        switch word(at: 4) {
        case Opcode.write: word(at: 40 + 20) & 1 << 2 != 0
        case Opcode.setAttributes: word(at: 40) & 1 << 11 != 0
        case Opcode.open: word(at: 40 + 4) & 1 << 0 != 0
        case Opcode.create: word(at: 40 + 12) & 1 << 0 != 0
        default: false
        }
    }

    /// Sets flags in the arguments of an INIT answer (`fuse_init_out`).
    static func add(_ flags: UInt32, toInitialization answer: iovec) {
        guard unsafe answer.iov_len >= 16, let start = unsafe answer.iov_base else { return }
        let agreed = unsafe start.loadUnaligned(fromByteOffset: 12, as: UInt32.self)
        unsafe start.storeBytes(of: agreed | flags, toByteOffset: 12, as: UInt32.self)
    }

    private func word(at offset: Int) -> UInt32 {
        guard unsafe offset + 4 <= bytes.count else { return 0 }
        return unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
    }
}
