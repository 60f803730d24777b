import DbxModel
import DbxSync
import Testing

@Suite("What happens to a name that both sides may have changed")
struct EntryDecisionTests {
    let x = NodeID(high: 0, low: 1)
    let y = NodeID(high: 0, low: 2)
    let z = NodeID(high: 0, low: 3)

    @Test("an unchanged name takes the server's state")
    func clean() {
        for remote in [nil, x, y] where remote != x {
            #expect(EntryDecision.decide(base: x, local: x, remote: remote, dirty: false) == .takeRemote)
        }
    }

    @Test("two sides that did the same agree")
    func same() {
        for state in [nil, x, y] {
            #expect(EntryDecision.decide(base: z, local: state, remote: state, dirty: true) == .agree)
        }
    }

    @Test("what was created on one side survives a removal on the other")
    func createBeatsRemoval() {
        #expect(EntryDecision.decide(base: x, local: y, remote: nil, dirty: true) == .keepLocal)
        #expect(EntryDecision.decide(base: x, local: nil, remote: y, dirty: true) == .takeRemote)
    }

    @Test("a removal stands where the server still has what was removed")
    func removal() {
        #expect(EntryDecision.decide(base: x, local: nil, remote: x, dirty: true) == .keepLocal)
    }

    @Test("a replacement stands where the server still has what was replaced, else both are kept")
    func replacement() {
        #expect(EntryDecision.decide(base: x, local: y, remote: x, dirty: true) == .keepLocal)
        #expect(EntryDecision.decide(base: x, local: y, remote: z, dirty: true) == .keepBoth)
        #expect(EntryDecision.decide(base: nil, local: y, remote: z, dirty: true) == .keepBoth)
    }
}

@Suite("Attributes changed on both sides")
struct AttributesMergeTests {
    func attributes(mode: UInt16 = 0o644, mtime: Int64 = 1, xattrs: [String: String] = [:]) -> NodeAttributes {
        NodeAttributes(
            mode: mode, mtime: Timestamp(nanoseconds: mtime), ctime: Timestamp(nanoseconds: mtime),
            birthTime: Timestamp(nanoseconds: 0),
            extendedAttributes: xattrs.sorted { $0.key < $1.key }.map {
                ExtendedAttribute(name: Array($0.key.utf8), value: Array($0.value.utf8))
            })
    }

    @Test("merge field by field, ours where both changed the same field")
    func fields() {
        let merged = AttributesMerge.merge(
            base: attributes(mode: 0o644, mtime: 1), local: attributes(mode: 0o600, mtime: 1),
            remote: attributes(mode: 0o755, mtime: 9))
        #expect(merged.mode == 0o600)
        #expect(merged.mtime == Timestamp(nanoseconds: 9))
    }

    @Test("merge extended attributes name by name")
    func extended() {
        let merged = AttributesMerge.merge(
            base: attributes(xattrs: ["user.kept": "1", "user.gone": "1", "user.both": "1"]),
            local: attributes(xattrs: ["user.kept": "1", "user.both": "local", "user.new": "local"]),
            remote: attributes(xattrs: ["user.kept": "2", "user.gone": "1", "user.both": "remote", "user.far": "r"]))
        #expect(
            merged
                == attributes(
                    xattrs: ["user.kept": "2", "user.both": "local", "user.new": "local", "user.far": "r"]))
    }
}
