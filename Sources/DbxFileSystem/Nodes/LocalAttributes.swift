import DbxLocalStore
import DbxModel
import Synchronization

/// The extended attributes that stay on this device (`security.*`), all of them in memory: the kernel asks for
/// `security.capability` before it lets a program write. The store has the same. Guarded by its own mutex.
final class LocalAttributes: Sendable {
    private let known: Mutex<[InodeNumber: [ExtendedAttribute]]>

    init(_ stored: [InodeNumber: [ExtendedAttribute]]) { known = Mutex(stored) }

    subscript(number: InodeNumber) -> [ExtendedAttribute] { known.withLock { $0[number] ?? [] } }

    /// To be called after the store has taken them; the kernel changes those of one node one after the other.
    func set(_ attributes: [ExtendedAttribute], of number: InodeNumber) {
        known.withLock { $0[number] = attributes.isEmpty ? nil : attributes }
    }
}
