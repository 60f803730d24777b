/// Reads and writes amounts as people do: `10G`, `512M`, `1.5T`, powers of 1024.
package enum ByteCount {
    private static let units: [Character: Int64] = [
        "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40, "P": 1 << 50,
    ]

    /// A plain number of bytes, or one with a unit (`10G`, `10GB`, `10GiB`); nil when it is neither or too large.
    package static func parse(_ text: String) -> Int64? {
        var number = text.uppercased()
        for suffix in ["IB", "B"] where number.hasSuffix(suffix) {
            number.removeLast(suffix.count)
            break
        }
        var unit: Int64 = 1
        if let last = number.last, let known = units[last] {
            unit = known
            number.removeLast()
        }
        guard let value = Double(number), value.isFinite, value >= 0 else { return nil }
        let bytes = value * Double(unit)
        return bytes < Double(Int64.max) ? Int64(bytes) : nil
    }

    /// Three digits and a unit: `1.50 GiB`.
    package static func format(_ bytes: Int64) -> String {
        guard let (name, unit) = units.filter({ bytes >= $0.value }).max(by: { $0.value < $1.value }) else {
            return "\(bytes) B"
        }
        let hundredths = Int64((Double(bytes) / Double(unit) * 100).rounded())
        let fraction = hundredths % 100
        return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction) \(name)iB"
    }
}
