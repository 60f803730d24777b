package import DbxLocalStore
package import DbxModel

/// Makes the kernel forget what it keeps. Called after the change, from a thread that serves no request and holds no
/// lock; may wait for room in a queue, never for the kernel.
package protocol KernelNotifier: Sendable {
    /// What a name leads to, or that it does not exist.
    func invalidateEntry(_ name: Name, in directory: InodeNumber)
    /// A node's attributes and all cached content; of a directory its listing.
    func invalidateContent(of number: InodeNumber)
    func invalidateAttributes(of number: InodeNumber)
    /// The same, done on return: also from a thread that serves a request, for the kernel waits for nothing to do it.
    func invalidateAttributesAtOnce(of number: InodeNumber)
}

/// What the rest of the client hears of the file system. Called on any thread without a lock, often: implementations
/// only note it and wake somebody.
package protocol FileSystemEvents: Sendable {
    /// Something changed here that the server does not have.
    func localChange()
    /// No program has the file open for writing any more.
    func lastWriterClosed(_ number: InodeNumber)
    /// An fsync covered the file's content: it may go up although it is still open.
    func synchronized(_ number: InodeNumber)
    /// A file was closed of which so many bytes had to be fetched.
    func fetched(_ bytes: Int64, of number: InodeNumber)
    /// Staging is more than half full and filling: whatever is not going up yet should.
    func stagingIsFilling()
    /// Writers wait because staging is full: uploads should hurry.
    func stagingIsFull()
    /// Unsent bytes of the file are not what was written any more.
    func foundDamage(in number: InodeNumber)
}
