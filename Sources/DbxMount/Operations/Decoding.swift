import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSystem
import FuseLowLevel
import Glibc

/// For how long the kernel keeps what it is told: every change that does not come through it is invalidated.
enum KernelCache {
    static let seconds: Double = 86_400
}

extension FuseInode {
    init(_ number: InodeNumber) { self.init(rawValue: number.rawValue) }
    var number: InodeNumber { InodeNumber(rawValue: rawValue) }
}

extension Caller {
    init(_ context: FuseContext) { self.init(uid: context.uid, gid: context.gid) }
}

extension Name {
    /// The kernel lets longer names through than we keep.
    init(decoding bytes: Span<UInt8>) throws(Errno) {
        guard bytes.count <= Self.maximumBytes else { throw .nameTooLong }
        guard let name = Name([UInt8](copying: bytes)) else { throw .invalidArgument }
        self = name
    }
}

extension Span<UInt8> {
    var isDot: Bool { count == 1 && self[0] == 0x2E }
    var isDotDot: Bool { count == 2 && self[0] == 0x2E && self[1] == 0x2E }
}

extension [UInt8] {
    /// A copy of bytes that a request lends for the time of the call.
    init(copying bytes: RawSpan) {
        // Safe: the buffer is lent for the closure's time.
        self = unsafe bytes.withUnsafeBytes { unsafe [UInt8]($0) }
    }
}

extension UInt32 {
    var permissions: UInt16 { UInt16(self & 0o7777) }
}

extension NodeKind {
    /// The file-type part of a mode (inode(7)).
    var fileType: UInt32 {
        switch self {
        case .file: S_IFREG
        case .directory: S_IFDIR
        case .symlink: S_IFLNK
        case .fifo: S_IFIFO
        case .socket: S_IFSOCK
        case .characterDevice: S_IFCHR
        case .blockDevice: S_IFBLK
        }
    }

    init?(fileType mode: UInt32) {
        switch mode & S_IFMT {
        case S_IFREG, 0: self = .file
        case S_IFDIR: self = .directory
        case S_IFLNK: self = .symlink
        case S_IFIFO: self = .fifo
        case S_IFSOCK: self = .socket
        case S_IFCHR: self = .characterDevice
        case S_IFBLK: self = .blockDevice
        default: return nil
        }
    }
}

extension FuseAttributes {
    init(_ attributes: FileAttributes) {
        self.init(
            inode: FuseInode(attributes.number), mode: attributes.kind.fileType | UInt32(attributes.permissions),
            links: attributes.links, uid: attributes.uid, gid: attributes.gid, rdev: attributes.rdev,
            size: attributes.size, blocks: attributes.blocks, accessTime: attributes.accessTime,
            modificationTime: attributes.modificationTime, changeTime: attributes.changeTime)
    }
}

extension FuseEntry {
    init(_ attributes: FileAttributes) {
        self.init(
            FuseAttributes(attributes), entryTimeoutSeconds: KernelCache.seconds,
            attributeTimeoutSeconds: KernelCache.seconds)
    }
}

extension FuseOpened {
    init(_ opened: OpenedFile) {
        self.init(
            handle: FuseHandle(rawValue: opened.handle.rawValue),
            flags: opened.keepsCache ? [.keepCache, .noFlush] : .noFlush)
    }
}

extension FuseStatistics {
    init(_ statistics: FileSystemStatistics) {
        self.init()
        blocks = UInt64(max(0, statistics.totalBytes)) / blockSize
        blocksFree = UInt64(max(0, statistics.freeBytes)) / blockSize
        blocksAvailable = blocksFree
    }
}

extension OpenOptions {
    init(flags: Int32) {
        self = []
        if flags & O_ACCMODE != O_RDONLY { insert(.write) }
        if flags & O_TRUNC != 0 { insert(.truncate) }
    }
}

extension AttributeChange {
    init(_ change: FuseAttributeChange, clearsSetID: Bool) {
        self.init(
            permissions: change.mode.map(\.permissions), uid: change.uid, gid: change.gid, size: change.size,
            accessTime: change.accessTime.map(Moment.init), modificationTime: change.modificationTime.map(Moment.init),
            clearsSetID: clearsSetID)
    }
}

extension AttributeChange.Moment {
    init(_ time: FuseAttributeChange.Time) {
        switch time {
        case .now: self = .now
        case .at(let moment): self = .at(moment)
        }
    }
}

extension RangeChange {
    private static let keepSize: Int32 = 0x01
    private static let punchHole: Int32 = 0x02
    private static let zeroRange: Int32 = 0x10

    /// The modes of fallocate(2) that the kernel passes on.
    init(mode: Int32) throws(Errno) {
        switch mode {
        case 0: self = .extend
        case Self.keepSize: self = .reserve
        case Self.punchHole | Self.keepSize: self = .punch
        case Self.zeroRange: self = .zero(keepsSize: false)
        case Self.zeroRange | Self.keepSize: self = .zero(keepsSize: true)
        default: throw .notSupported
        }
    }
}

extension SeekTarget {
    /// SEEK_DATA and SEEK_HOLE of lseek(2), which Glibc's module leaves out.
    private static let seekData: Int32 = 3
    private static let seekHole: Int32 = 4

    init(whence: Int32) throws(Errno) {
        switch whence {
        case Self.seekData: self = .data
        case Self.seekHole: self = .hole
        default: throw .invalidArgument
        }
    }
}
