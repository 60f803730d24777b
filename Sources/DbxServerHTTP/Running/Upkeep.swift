import DbxSystem
import DbxServerCore
import Logging
import ServiceLifecycle

/// What the serving process does by itself: ends streams of revoked devices, has the core give up idle uploads, and,
/// when the server stops, says so to systemd and ends every stream at once.
struct Upkeep: Service {
    let server: Server
    let pool: BlockingPool
    let listeners: ListenerRegistry
    let logger: Logger

    /// How soon a stream ends whose device another process has revoked; its requests are refused at once.
    private static let revocationSeconds = 5
    private static let maintenanceSeconds = 300

    func run() async throws {
        await withGracefulShutdownHandler {
            try? await cancelWhenGracefulShutdown { try await repeatUntilCancelled() }
        } onGracefulShutdown: {
            ServiceNotifier.notify("STOPPING=1")
            listeners.close()
        }
    }

    private func repeatUntilCancelled() async throws {
        var seconds = 0
        while true {
            try await Task.sleep(for: .seconds(Self.revocationSeconds))
            seconds += Self.revocationSeconds
            let maintains = seconds.isMultiple(of: Self.maintenanceSeconds)
            do {
                try await pool.run { [server, listeners] in
                    listeners.endRevoked(server)
                    if maintains { try server.maintain() }
                }
            } catch let error as ServerError {
                logger.error("upkeep failed", metadata: ["cause": .string(error.message)])
            }
        }
    }
}
