import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSync
import DbxSystem

/// `dbxfs merge`: where texts that two computers changed are merged.
extension ClientDaemon {
    package func merging(at path: [UInt8]?, _ choice: MergeChoice?) throws(ClientFailure) -> [MergeStatus] {
        guard let path else {
            let rules = try reading { store throws(StoreError) in try MergeRule.all(in: store) }
            return rules.map { MergeStatus(path: $0.path, choice: $0.rule.choice, from: $0.path) }
        }
        let folder = try folder(at: path)
        if let choice { try set(choice.rule, of: folder) }
        let status = try reading { store throws(StoreError) in
            let rule = try MergeRule.holding(in: folder.number, store)
            let from = try rule.flatMap { rule throws(StoreError) in try TreePath.path(of: rule.directory, in: store) }
            return MergeStatus(path: path, choice: rule?.choice, from: from)
        }
        return [status]
    }

    private func reading<Value>(
        _ body: (LocalStore) throws(StoreError) -> Value
    ) throws(ClientFailure) -> Value {
        do throws(StoreError) {
            return try shared.withStore(body)
        } catch {
            throw Self.storeFailure(error)
        }
    }

    private func folder(at path: [UInt8]) throws(ClientFailure) -> LocalNode {
        let shown = String(decoding: path, as: UTF8.self)
        let node = try reading { store throws(StoreError) in try TreePath.node(at: path, in: store) }
        guard let node else {
            throw ClientFailure(.failed, "There is no “\(shown)”", remedy: "Name a folder in the mounted directory.")
        }
        guard node.kind == .directory else {
            throw ClientFailure(
                .failed, "“\(shown)” is no folder", remedy: "Name the folder that it is in: that speaks for its files.")
        }
        return node
    }

    private func set(_ choice: MergeRule.Choice, of folder: LocalNode) throws(ClientFailure) {
        do throws(Errno) {
            try fileSystem.setExtendedAttribute(
                MergeRule.attribute, of: folder.number, to: Array(choice.rawValue.utf8), mode: .any)
        } catch {
            throw ClientFailure(
                .failed, "What the folder says cannot be changed: \(error)",
                remedy: error == .noSpace
                    ? "Remove other extended attributes of it, or make room on the local disk."
                    : "See the daemon's log.")
        }
        fileSystem.apply(changes: [.attributes(folder.number)])
        merger.kick()
    }
}
