import DbxModel
import Synchronization

/// The `Date` header (RFC 9110 §5.6.7), made once a second.
final class HTTPDate: Sendable {
    private let time: any TimeSource
    private let cached = Mutex<(second: Int64, text: String)>((.min, ""))

    init(time: any TimeSource) { self.time = time }

    var text: String {
        let now = time.now().seconds
        return cached.withLock { cached in
            if cached.second != now { cached = (now, Self.format(now)) }
            return cached.text
        }
    }

    static func format(_ seconds: Int64) -> String {
        let days = seconds / 86_400
        let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        // Days since 0000-03-01, in eras of 400 years; a year begins in March, so that leap days end it
        // (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
        let (era, dayOfEra) = (days + 719_468).quotientAndRemainder(dividingBy: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        let month = (marchMonth + 2) % 12
        let year = yearOfEra + era * 400 + (month < 2 ? 1 : 0)
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(weekdays[Int(days % 7)]), \(two(day)) \(months[Int(month)]) \(year) "
            + "\(two(seconds / 3_600 % 24)):\(two(seconds / 60 % 60)):\(two(seconds % 60)) GMT"
    }
}
