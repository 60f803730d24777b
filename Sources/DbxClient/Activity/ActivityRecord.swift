package import DbxModel
import DbxSync
package import DbxWire

/// One line of `dbxfs activity`. A value. Fields are added, never renamed: scripts read them.
package struct ActivityRecord: Hashable, Sendable, Codable {
    package enum Direction: String, Hashable, Sendable, Codable {
        case sent, received, fetched
        /// Two versions here became one.
        case merged
    }

    /// Counts up from 1 and on over restarts.
    package var number: Int64
    package var at: Timestamp
    package var direction: Direction
    /// `created`, `changed`, `renamed`, `deleted`, `attributes`, `content`; `more` stands for `bytes` further ones.
    package var action: String
    /// From the mounted directory, for display.
    package var path: String
    /// Where it is no UTF-8.
    package var path64: Base64?
    package var from: String?
    package var bytes: Int64

    init(number: Int64, at: Timestamp, direction: Direction, _ activity: TreeActivity) {
        self.number = number
        self.at = at
        self.direction = direction
        action = activity.action.rawValue
        let text = String(validating: activity.path, as: UTF8.self)
        path = text ?? String(decoding: activity.path, as: UTF8.self)
        path64 = text == nil ? Base64(activity.path) : nil
        from = activity.from.map { String(decoding: $0, as: UTF8.self) }
        bytes = activity.bytes
    }
}
