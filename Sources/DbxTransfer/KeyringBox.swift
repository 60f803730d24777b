package import DbxContent
import Synchronization

/// The namespace's keys as last heard from the server; transfers in flight go on with those they began with.
///
/// Sendable; the lock is held for a copy only.
package final class KeyringBox: Sendable {
    private let current: Mutex<NamespaceKeyring>

    package init(_ keyring: NamespaceKeyring) { current = Mutex(keyring) }

    package var keyring: NamespaceKeyring {
        get { current.withLock { $0 } }
        set { current.withLock { $0 = newValue } }
    }
}
