/// A moment in nanoseconds since 1970-01-01T00:00:00Z, from 1677 to 2262; earlier and later ones are clamped.
package struct Timestamp: Hashable, Comparable, Sendable, Codable {
    package let nanoseconds: Int64

    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    package init(seconds: Int64, nanoseconds: Int64) {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, carry) = product.addingReportingOverflow(nanoseconds)
        self.nanoseconds = overflow || carry ? (seconds < 0 ? .min : .max) : sum
    }

    /// Whole seconds, rounded down, as `st_mtim.tv_sec` wants them.
    package var seconds: Int64 {
        let (quotient, remainder) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        return remainder < 0 ? quotient - 1 : quotient
    }

    /// 0 ..< 1,000,000,000.
    package var subsecondNanoseconds: Int64 { nanoseconds &- seconds &* 1_000_000_000 }

    package static func < (a: Self, b: Self) -> Bool { a.nanoseconds < b.nanoseconds }

    /// Clamped at the ends of the range.
    package func advanced(by duration: Duration) -> Timestamp {
        let (seconds, attoseconds) = duration.components
        let step = Timestamp(seconds: seconds, nanoseconds: attoseconds / 1_000_000_000)
        let (sum, overflow) = nanoseconds.addingReportingOverflow(step.nanoseconds)
        return Timestamp(nanoseconds: overflow ? (step.nanoseconds < 0 ? .min : .max) : sum)
    }

    package init(from decoder: any Decoder) throws {
        nanoseconds = try decoder.singleValueContainer().decode(Int64.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(nanoseconds)
    }
}
