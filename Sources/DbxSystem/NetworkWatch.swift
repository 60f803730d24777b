import CDbxShims
import Glibc

/// Tells when the machine's network changes: a link comes up, an address or a route appears or goes.
package enum NetworkWatch {
    /// Changes come in bursts: one call for what happens in this time.
    private static let gatheringMicroseconds: UInt32 = 300_000

    /// Calls `changed` on a thread of its own for as long as the process lives. Throws where the kernel does not tell
    /// (some containers).
    package static func start(_ changed: @escaping @Sendable () -> Void) throws(Errno) {
        let descriptor = dbxfs_open_network_watch()
        guard descriptor >= 0 else { throw Errno(rawValue: -descriptor) }
        _ = try WorkerThread(name: "dbxfs-network") {
            while waitForNews(descriptor) {
                usleep(gatheringMicroseconds)
                drain(descriptor)
                changed()
            }
            close(descriptor)
        }
    }

    /// What the news says does not matter; ENOBUFS says that there were too many.
    private static func waitForNews(_ descriptor: Int32) -> Bool {
        var buffer: [UInt8] = Array(repeating: 0, count: 8_192)
        do throws(Errno) {
            return try systemCall { unsafe recv(descriptor, &buffer, buffer.count, 0) } > 0
        } catch {
            return error.rawValue == ENOBUFS
        }
    }

    private static func drain(_ descriptor: Int32) {
        var buffer: [UInt8] = Array(repeating: 0, count: 8_192)
        while unsafe recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT)) > 0 {}
    }
}
