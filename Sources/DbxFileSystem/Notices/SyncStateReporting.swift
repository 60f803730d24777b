package import DbxLocalStore
package import DbxSystem

/// Who answers for the read-only attributes `user.dbxfs.*` of a node. They are given by name and never listed, so that no
/// copy of a file takes them along.
package protocol SyncStateReporting: Sendable {
    /// The value of `user.dbxfs.NAME`; nil where there is no such attribute. Called on the kernel's threads: waits for
    /// nothing.
    func syncAttribute(_ name: [UInt8], of number: InodeNumber) throws(Errno) -> [UInt8]?
}
