import Synchronization

/// What the kernel asks.
package enum RequestKind: Int, CaseIterable, Sendable {
    case lookup, forget, getattr, setattr, readlink, mknod, mkdir, symlink, link, unlink, rmdir, rename, create, open
    case read, write, flush, release, fsync, fallocate, copyFileRange, lseek
    case opendir, readdir, readdirplus, releasedir, fsyncdir
    case statfs, setxattr, getxattr, listxattr, removexattr

    /// As `dbxfs status --json` names it.
    package var name: String { "\(self)" }
}

/// Counts of requests since the mount began; they only grow. Lock-free.
package final class RequestCounters: Sendable {
    private let counts: InlineArray<32, Atomic<Int64>>

    package init() {
        precondition(RequestKind.allCases.count <= 32)
        counts = InlineArray { _ in Atomic(0) }
    }

    package func count(_ kind: RequestKind) {
        counts[kind.rawValue].wrappingAdd(1, ordering: .relaxed)
    }

    package subscript(kind: RequestKind) -> Int64 { counts[kind.rawValue].load(ordering: .relaxed) }

    /// Those that are not 0, by name.
    package var all: [String: Int64] {
        var all: [String: Int64] = [:]
        for kind in RequestKind.allCases where self[kind] != 0 { all[kind.name] = self[kind] }
        return all
    }
}
