package import DbxWire

/// The server's behaviour behind one façade: what routes and administrators' commands call.
///
/// Every method is synchronous, blocks on the disk, and may be called from any thread; the caller owns the threads.
/// Requests throw `Problem`, administrators' commands `ServerError`.
package final class Server: Sendable {
    package let configuration: ServerConfiguration
    package let events: EventHub

    init(configuration: ServerConfiguration, events: EventHub) {
        self.configuration = configuration
        self.events = events
    }

    /// Opens the data directory, making it, its schema and its keys where there are none. Several processes may have
    /// it open (a serving one and commands).
    package static func open(_ configuration: ServerConfiguration) throws(ServerError) -> Server { fatalError() }

    /// Called once by the process that serves, before its first request: removes what uploads cut short by a crash left
    /// behind and publishes notices that were not sent.
    package func startServing() throws(ServerError) { fatalError() }

    /// Called by the serving process every few minutes: gives up uploads that were idle for 7 days.
    package func maintain() throws(ServerError) { fatalError() }

    /// Whether a transaction on the store and the object directory can be done now; for the readiness route.
    package func checkReady() throws(Problem) { fatalError() }
}
