import DbxModel
import DbxSystem
import Logging
import Synchronization

/// Writes one line per message to standard error: time, level, message, `key=value` pairs. systemd's journal and files
/// take it as it is.
struct StandardLog: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level
    private let time = SystemTime()

    init(level: Logger.Level) { logLevel = level }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var line =
            "\(HTTPDate.format(time.now().seconds)) \(event.level.rawValue): \(Self.oneLine(event.message.description))"
        let pairs = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
        for (key, value) in pairs { line += " \(key)=\(Self.quoted("\(value)"))" }
        StandardStreams.writeError(line + "\n")
    }

    private static func oneLine(_ text: String) -> String {
        text.contains(where: \.isNewline) ? text.split(whereSeparator: \.isNewline).joined(separator: " | ") : text
    }

    private static func quoted(_ text: String) -> String {
        let needsQuotes = text.isEmpty || text.contains { $0 == " " || $0 == "\"" || $0.isNewline }
        return needsQuotes ? "\"" + oneLine(text).replacing("\"", with: "'") + "\"" : text
    }
}
