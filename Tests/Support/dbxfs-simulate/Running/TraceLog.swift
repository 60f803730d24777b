import Logging

/// What the client says goes to the trace.
struct TraceLog: LogHandler {
    let label: String
    let trace: Trace
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { trace.note("\(label) says: \(event.message)") }
}
