import Synchronization

/// Whoever wants to be told of something: set at any time, called on the teller's thread with no lock held.
///
/// The closure is a struct's member, and so are all that are kept behind a `Mutex` or a `Monitor`: one that stands there by
/// itself is wrapped in two more closures at each access, until a call of it needs more stack than there is.
package final class Listener<News>: Sendable {
    private struct Entry: Sendable {
        let tell: @Sendable (News) -> Void
    }

    private let entry = Mutex<Entry?>(nil)

    package init() {}

    package func set(_ tell: @escaping @Sendable (News) -> Void) { entry.withLock { $0 = Entry(tell: tell) } }
    package func remove() { entry.withLock { $0 = nil } }
    package func tell(_ news: News) { entry.withLock { $0 }?.tell(news) }
}

extension Listener<Void> {
    package func tell() { tell(()) }
}
