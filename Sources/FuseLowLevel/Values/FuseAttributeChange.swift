internal import CFuse3
internal import Glibc
package import DbxModel

/// What a setattr request changes; nil fields stay.
package struct FuseAttributeChange: Hashable, Sendable {
    /// A new access or modification time; `now` is the file system's own clock.
    package enum Time: Hashable, Sendable {
        case now
        case at(Timestamp)
    }

    /// Permission bits (the file type may be in it too and is to be ignored).
    package var mode: UInt32?
    package var uid: UInt32?
    package var gid: UInt32?
    package var size: Int64?
    package var accessTime: Time?
    package var modificationTime: Time?
    /// Set by the kernel only where it keeps times itself.
    package var changeTime: Timestamp?
    /// The open file that was given to ftruncate or futimens, if any.
    package var handle: FuseHandle?

    package init() {}

    /// Safe: `attributes` is valid during the request's callback, which is the only caller.
    init(_ attributes: UnsafeMutablePointer<stat>, valid: Int32, handle: FuseHandle?) {
        func has(_ bit: Int32) -> Bool { valid & bit != 0 }
        let value = unsafe attributes.pointee
        if has(FUSE_SET_ATTR_MODE) { mode = value.st_mode }
        if has(FUSE_SET_ATTR_UID) { uid = value.st_uid }
        if has(FUSE_SET_ATTR_GID) { gid = value.st_gid }
        if has(FUSE_SET_ATTR_SIZE) { size = Int64(value.st_size) }
        if has(FUSE_SET_ATTR_ATIME_NOW) {
            accessTime = .now
        } else if has(FUSE_SET_ATTR_ATIME) {
            accessTime = .at(Timestamp(value.st_atim))
        }
        if has(FUSE_SET_ATTR_MTIME_NOW) {
            modificationTime = .now
        } else if has(FUSE_SET_ATTR_MTIME) {
            modificationTime = .at(Timestamp(value.st_mtim))
        }
        if has(FUSE_SET_ATTR_CTIME) { changeTime = Timestamp(value.st_ctim) }
        self.handle = handle
    }
}
