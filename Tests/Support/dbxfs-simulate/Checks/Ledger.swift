import CSimulation

/// What programs have written, what they have replaced or removed knowingly, and what of that is certain: from it follows
/// which contents must be there in the end. Contents are unique; the empty one is of no interest.
///
/// Sendable because one thread of a simulation runs at a time.
final class Ledger: @unchecked Sendable {
    typealias Content = UInt64

    private enum Certainty {
        /// Has returned; a power cut may take it back.
        case recorded
        /// Nothing may take it back any more.
        case durable
        /// May or may not have happened.
        case uncertain
    }

    private struct Change {
        let device: String
        /// What came to be; nil: something was removed.
        let made: Content?
        /// What a program saw, and replaced or removed.
        let replaced: Content?
        var certainty: Certainty
        let text: String
    }

    private var changes: [Change] = []
    /// Of each device, those that a power cut could take back.
    private var recorded: [String: [Int]] = [:]

    /// Of contents that the server may have lost: who holds them.
    private var holders: [Content: Set<String>] = [:]

    static func content(of bytes: [UInt8]) -> Content? {
        if bytes.isEmpty { return nil }
        return bytes.withUnsafeBytes { sim_hash(0xCBF2_9CE4_8422_2325, $0.baseAddress, $0.count) }
    }

    // MARK: What happens

    /// A change that has returned, or, not `hasSucceeded`, may have happened.
    func note(_ device: String, made: Content?, replacing replaced: Content?, hasSucceeded: Bool, _ text: String) {
        if made == nil, replaced == nil { return }
        changes.append(
            Change(
                device: device, made: made, replaced: replaced, certainty: hasSucceeded ? .recorded : .uncertain,
                text: text))
        if hasSucceeded { recorded[device, default: []].append(changes.count - 1) }
    }

    /// Both versions may go for a text of both, but only if that is somewhere.
    func mayMerge(on device: String, ours: [UInt8], theirs: [UInt8], into text: [UInt8]) {
        for version in [ours, theirs] {
            note(
                device, made: Self.content(of: text), replacing: Self.content(of: version), hasSucceeded: false, "merge"
            )
        }
    }

    /// Where the device's record stands now.
    func mark(of device: String) -> Int { recorded[device]?.count ?? 0 }

    /// What was recorded before `mark` is on the disk.
    func becameDurable(_ device: String, upTo mark: Int? = nil) {
        let indices = recorded[device] ?? []
        let count = min(mark ?? indices.count, indices.count)
        for index in indices.prefix(count) where changes[index].certainty == .recorded {
            changes[index].certainty = .durable
        }
    }

    /// The server has older data now: what no device holds may be gone.
    func serverWentBack(_ held: [String: Set<Content>]) {
        for content in changes.compactMap(\.made) {
            let who = Set(held.filter { $0.value.contains(content) }.keys)
            holders[content] = who
        }
    }

    func lostPower(_ device: String) {
        for content in holders.keys { holders[content]?.remove(device) }
        for index in recorded[device] ?? [] where changes[index].certainty == .recorded {
            changes[index].certainty = .uncertain
        }
        recorded[device] = []
    }

    // MARK: What follows

    /// Contents that somebody was promised and that are nowhere.
    func lost(present: Set<Content>) -> [String] {
        var replacements: [Content: [Change]] = [:]
        for change in changes {
            if let replaced = change.replaced { replacements[replaced, default: []].append(change) }
        }
        var known: [Content: Bool] = [:]
        func isAccountedFor(_ content: Content) -> Bool {
            if present.contains(content) { return true }
            if let answer = known[content] { return answer }
            known[content] = false
            let answer = (replacements[content] ?? []).contains { change in
                switch change.certainty {
                case .durable, .recorded: return true
                case .uncertain: return change.made.map(isAccountedFor) ?? true
                }
            }
            known[content] = answer
            return answer
        }
        var sources: [Content: [(content: Content, device: String)]] = [:]
        for change in changes {
            if let made = change.made, let replaced = change.replaced {
                sources[made, default: []].append((replaced, change.device))
            }
        }
        // What was written into a content of which the rest is nowhere, or was not there, stands between holes.
        func isExcused(_ content: Content, _ depth: Int = 0) -> Bool {
            if holders[content]?.isEmpty == true { return true }
            return depth < 8
                && (sources[content] ?? []).contains { source in
                    if let who = holders[source.content], !who.contains(source.device) { return true }
                    return !present.contains(source.content) && isExcused(source.content, depth + 1)
                }
        }
        return changes.filter { change in
            guard change.certainty != .uncertain, let made = change.made, !isExcused(made) else { return false }
            return !isAccountedFor(made)
        }.map { "\($0.device): \($0.text)" }
    }
}
