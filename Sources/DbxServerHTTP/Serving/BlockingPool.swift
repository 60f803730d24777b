import DbxWire
import NIOPosix
import Synchronization

/// The threads on which the core runs: everything that waits for the disk, the database or a slow hash goes here and
/// nowhere else, so that neither event loops nor the cooperative pool ever block.
final class BlockingPool: Sendable {
    private let pool: NIOThreadPool
    private let waiting = Atomic<Int>(0)
    private let limit: Int

    /// `limit` requests wait or run at a time; further ones are answered `unavailable` at once.
    init(threads: Int, limit: Int = 4_096) {
        pool = NIOThreadPool(numberOfThreads: threads)
        pool.start()
        self.limit = limit
    }

    func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        let (_, now) = waiting.add(1, ordering: .relaxed)
        defer { waiting.subtract(1, ordering: .relaxed) }
        guard now <= limit else {
            throw Problem(kind: .unavailable, detail: "The server is busy; try again in a few seconds.")
        }
        return try await pool.runIfActive(body)
    }

    func stop() async throws { try await pool.shutdownGracefully() }
}
