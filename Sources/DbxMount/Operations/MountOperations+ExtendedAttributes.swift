import DbxFileSystem
import DbxModel
import DbxSystem
import FuseLowLevel

extension MountOperations {
    func setExtendedAttribute(
        _ name: Span<UInt8>, of inode: FuseInode, value: Span<UInt8>, flags: Int32, context: FuseContext,
        reply: consuming FuseReplyNone
    ) {
        count(.setxattr)
        do throws(Errno) {
            let mode: ExtendedAttributeMode
            switch flags {
            case 0: mode = .any
            case 1: mode = .create
            case 2: mode = .replace
            default: throw .invalidArgument
            }
            try fileSystem.setExtendedAttribute(
                [UInt8](copying: name), of: inode.number, to: [UInt8](copying: value), mode: mode)
            reply.succeed()
        } catch {
            reply.fail(error.rawValue)
        }
    }

    func getExtendedAttribute(
        _ name: Span<UInt8>, of inode: FuseInode, context: FuseContext, reply: consuming FuseReplyExtendedAttribute
    ) {
        count(.getxattr)
        do throws(Errno) {
            reply.succeed(try fileSystem.extendedAttribute([UInt8](copying: name), of: inode.number))
        } catch {
            reply.fail(error.rawValue)
        }
    }

    func listExtendedAttributes(
        of inode: FuseInode, context: FuseContext, reply: consuming FuseReplyExtendedAttribute
    ) {
        count(.listxattr)
        do throws(Errno) {
            reply.succeed(try fileSystem.extendedAttributeNames(of: inode.number, by: Caller(context)))
        } catch {
            reply.fail(error.rawValue)
        }
    }

    func removeExtendedAttribute(
        _ name: Span<UInt8>, of inode: FuseInode, context: FuseContext, reply: consuming FuseReplyNone
    ) {
        count(.removexattr)
        do throws(Errno) {
            try fileSystem.removeExtendedAttribute([UInt8](copying: name), of: inode.number)
            reply.succeed()
        } catch {
            reply.fail(error.rawValue)
        }
    }
}
