import DbxModel
import Synchronization

/// When each device's row was last told that the device was seen: at most once a minute. Guarded by its lock.
final class LastSeenTimes: Sendable {
    private let times = Mutex<[DeviceID: Duration]>([:])
    private static let maximumDevices = 50_000

    /// Whether the row should be written now; answers true once for each minute.
    func isDue(_ device: DeviceID, now: Duration) -> Bool {
        times.withLock { times in
            if let last = times[device], now - last < .seconds(60) { return false }
            if times.count >= Self.maximumDevices { times.removeAll() }
            times[device] = now
            return true
        }
    }
}
