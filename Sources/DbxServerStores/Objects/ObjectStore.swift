package import DbxModel

/// The name of a stored object: `<block id>.<generation>`.
package struct ObjectKey: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let block: BlockID
    package let generation: Int64

    package init(block: BlockID, generation: Int64) {
        self.block = block
        self.generation = generation
    }

    /// Nil where `name` has another form.
    package init?(name: some StringProtocol) {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let block = BlockID(hex: String(parts[0])), let generation = Int64(parts[1]),
            generation > 0, String(generation) == parts[1], block.hex == parts[0]
        else { return nil }
        self.init(block: block, generation: generation)
    }

    package var description: String { "\(block.hex).\(generation)" }

    package static func < (a: Self, b: Self) -> Bool { (a.block, a.generation) < (b.block, b.generation) }
}

/// Where the bytes of blocks are kept. Objects are never changed once they are there.
///
/// Synchronous; may be called from any thread. An object is visible only whole and verified, and durable when the call
/// that made it returns. A full disk is `storageFull`.
package protocol ObjectStore: Sendable {
    /// Opens a place for the bytes of an upload. Several for one upload do not disturb each other.
    func stage(_ upload: UploadID) throws(StoreError) -> any StagedObject

    /// Nil where there is no such object. What is open stays readable when the object is deleted.
    func open(_ key: ObjectKey) throws(StoreError) -> (any OpenObject)?

    /// Length in bytes; nil where there is no such object.
    func length(of key: ObjectKey) throws(StoreError) -> Int64?

    /// Does nothing where there is no such object.
    func delete(_ key: ObjectKey) throws(StoreError)

    /// At most `limit` keys behind `after`, in order.
    func keys(after: ObjectKey?, limit: Int) throws(StoreError) -> [ObjectKey]

    /// Removes what uploads left behind that a crash cut short; returns of how many. Only while no upload runs.
    @discardableResult
    func removeStaged() throws(StoreError) -> Int

    /// Takes an object away from its name and keeps its bytes for people; returns where, nil where there was none.
    func quarantine(_ key: ObjectKey) throws(StoreError) -> String?

    /// What lies among the objects without being one, for people.
    func foreignNames() throws(StoreError) -> [String]

    /// Room for more; nil where there is no limit.
    func freeBytes() throws(StoreError) -> Int64?

    /// Puts every object that is there at the call into `directory`, in the form that a directory store keeps them,
    /// durably; those that are there already are left. Objects that come meanwhile may be among them.
    func export(to directory: String) throws(StoreError) -> ObjectTotals
}

/// How many objects, and their bytes.
package struct ObjectTotals: Hashable, Sendable {
    package var objects = 0
    package var bytes: Int64 = 0
}

/// Why staged bytes did not become an object.
package enum StagingError: Error, Hashable, Sendable {
    /// More or fewer bytes than expected.
    case wrongLength
    /// The SHA-256 is another one.
    case wrongHash
    case store(StoreError)
}

/// Bytes of an upload on their way in. Used by one thread at a time; what is neither promoted nor discarded before the
/// last reference goes is discarded.
package protocol StagedObject: AnyObject {
    func append(_ bytes: RawSpan) throws(StoreError)

    /// Makes the bytes the object `key` if they are exactly `length` long and their SHA-256 is the key's block id. An
    /// object that is there already stays, with the same work done and the same answer.
    func promote(to key: ObjectKey, length: Int64) throws(StagingError)

    func discard()
}

/// An object open for reading, from any thread.
package protocol OpenObject: Sendable {
    var length: Int64 { get }
    /// Fills `buffer` with the bytes from `offset` on, all of them within `length`.
    func read(into buffer: UnsafeMutableRawBufferPointer, offset: Int64) throws(StoreError)
}
