/// How much content is on its way, and how fast content goes up while any is. Pure.
struct UploadGauge: Sendable {
    /// What was sent before the last so many bytes counts little.
    private static let memoryBytes = Double(32 << 20)

    private(set) var outstandingBytes: Int64 = 0
    private(set) var idleSince: Duration?
    private var underWay = 0
    /// What was sent in how much busy time, older ones counting less. Before anything was: a guess, soon forgotten.
    private var sent = Double(8 << 20)
    private var busySeconds = 0.25
    private var countedTo: Duration = .zero

    /// So much content of a file is to be sent.
    mutating func begin(_ bytes: Int64, now: Duration) {
        if underWay == 0 { countedTo = now }
        underWay += 1
        outstandingBytes += bytes
        idleSince = nil
    }

    /// A part of it has come to the server.
    mutating func sent(_ bytes: Int64, now: Duration) {
        let memory = Self.memoryBytes / (Self.memoryBytes + Double(bytes))
        sent = (sent + Double(bytes)) * memory
        busySeconds = (busySeconds + secondsSinceCount(now)) * memory
        countedTo = now
        outstandingBytes = max(0, outstandingBytes - bytes)
    }

    /// Nothing more of a file is sent; `left` of it was not.
    mutating func end(left bytes: Int64, now: Duration) {
        busySeconds += secondsSinceCount(now)
        countedTo = now
        underWay -= 1
        outstandingBytes = underWay == 0 ? 0 : max(0, outstandingBytes - bytes)
        if underWay == 0 { idleSince = now }
    }

    func perSecond(now: Duration) -> Double { sent / (busySeconds + (underWay > 0 ? secondsSinceCount(now) : 0)) }

    private func secondsSinceCount(_ now: Duration) -> Double { max(0, (now - countedTo) / .seconds(1)) }
}
