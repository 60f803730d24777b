package import DbxLocalStore
import DbxModel

/// What is to be done next about merging a conflict, from what the store has. Reads only; with the store's lock held.
package enum MergeStep: Hashable, Sendable {
    /// It is as it is: not to be merged, or a person has to choose.
    case nothing
    /// The folder does not merge: nothing is kept of it.
    case forget
    case fail(MergeObstacle)
    /// The server does not have both versions yet, or a file waits for a program to close it.
    case wait
    case merge(MergeInput)
    /// The server has the merged text: the copy of this content may go.
    case removeCopy(version: Int64)

    package static func next(for conflict: OpenConflict, in store: LocalStore) throws(StoreError) -> MergeStep {
        guard let merge = conflict.merge else { return .nothing }
        if case .merged(let number, let version) = merge.state, let merged = try store.node(number), !merged.isOrphan {
            guard conflict.ours.contentVersion == version else { return .fail(.changed) }
            return merged.isSettled ? .removeCopy(version: version) : .wait
        }
        guard try MergeRule.holding(in: conflict.record.parent, store)?.choice == .text else { return .forget }
        if case .failed = merge.state { return .nothing }
        // Also of a merge whose text another file took the place of before the server had it: that may have it all, or not.
        guard let base = merge.base else { return .nothing }
        guard let theirs = try conflict.target(in: store), conflict.ours.kind == .file else { return .fail(.gone) }
        if conflict.ours.isLocalOnly || theirs.isLocalOnly { return .fail(.ignored) }
        guard max(conflict.ours.size, theirs.size) <= TextMerge.largestBytes else { return .fail(.large) }
        guard conflict.ours.isSettled, theirs.isSettled, try store.deferred(theirs.id) == nil else { return .wait }
        return .merge(MergeInput(conflict: conflict, base: base, theirs: theirs))
    }
}

/// Two versions that the server has, and what both come from. A value.
package struct MergeInput: Hashable, Sendable {
    package var conflict: OpenConflict
    package var base: MergeBase
    package var theirs: LocalNode

    package var ours: LocalNode { conflict.ours }

    /// What the merged file has besides the text; nil where nothing of it differs from theirs.
    package var attributes: AttributeUpdate? {
        let merged = AttributesMerge.merge(
            base: base.attributes, local: ours.attributes, remote: theirs.attributes)
        var update = AttributeUpdate()
        if merged.mode != theirs.attributes.mode { update.mode = merged.mode }
        if merged.extendedAttributes != theirs.attributes.extendedAttributes {
            update.extendedAttributes = merged.extendedAttributes
        }
        return update.mode == nil && update.extendedAttributes == nil ? nil : update
    }

    /// Whether all of it still stands.
    package func isCurrent(in store: LocalStore) throws(StoreError) -> Bool {
        let record = conflict.record
        var now = conflict
        now.merge = try store.merge(in: record.parent, keptAs: record.keptAs)
        now.theirs = try store.lookup(record.parent, record.name)
        guard let copy = try store.lookup(record.parent, record.keptAs) else { return false }
        now.ours = copy
        guard copy.number == ours.number, case .merge(let other) = try MergeStep.next(for: now, in: store) else {
            return false
        }
        return other.theirs.number == theirs.number && other.theirs.contentVersion == theirs.contentVersion
            && copy.contentVersion == ours.contentVersion
    }
}

extension LocalNode {
    /// The server has its content.
    fileprivate var isSettled: Bool { !contentDirty && !isNew }
}
