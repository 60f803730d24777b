import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSync
import DbxSystem

/// `dbxfs ignore`: which rule decides, and taking from the server what rules speak of.
extension ClientDaemon {
    package func ignored(_ paths: [[UInt8]]) throws(ClientFailure) -> [IgnoreStatus] {
        let tree = try currentRules()
        do throws(StoreError) {
            var result: [IgnoreStatus] = []
            for path in paths {
                result.append(
                    try shared.withStore { store throws(StoreError) in try Self.status(of: path, tree, store) })
            }
            return result
        } catch {
            throw Self.storeFailure(error)
        }
    }

    private static func status(
        of path: [UInt8], _ tree: IgnoreTree, _ store: LocalStore
    ) throws(StoreError) -> IgnoreStatus {
        var status = IgnoreStatus(path: path)
        let above = path.lastIndex(of: UInt8(ascii: "/")).map { Array(path[..<$0]) } ?? []
        let last = Array(path.dropFirst(above.isEmpty ? 0 : above.count + 1))
        guard let name = Name(last), let parent = try TreePath.node(at: above, in: store) else { return status }
        let node = try store.lookup(parent.number, name)
        status.isLocalOnly = node?.isLocalOnly ?? false
        let isDirectory = node?.kind == .directory
        guard let found = try tree.match(name, in: parent.number, isDirectory: isDirectory, store: store) else {
            return status
        }
        let directory = try TreePath.path(of: found.directory, in: store) ?? []
        status.isIgnored = found.match.isIgnored
        status.file =
            String(decoding: directory + (directory.isEmpty ? [] : [0x2F]), as: UTF8.self)
            + IgnoreRules.fileName
        status.line = found.match.rule.line
        status.rule = String(decoding: found.match.rule.text, as: UTF8.self)
        return status
    }

    package func applyIgnore(at path: [UInt8], dryRun: Bool) throws(ClientFailure) -> IgnoreReport {
        let tree = try currentRules()
        // Of what is not known here nothing can be kept here.
        let top = try inStore { store throws(StoreError) in try TreePath.node(at: path, in: store) }
        try listAll(below: [top].compactMap(\.self))
        let removal: IgnoredOnServer
        do throws(StoreError) {
            removal = try IgnoredOnServer.find(below: path, tree, in: shared)
        } catch {
            throw Self.storeFailure(error)
        }
        if !dryRun {
            for item in removal.items { try keepHereOnly(item) }
            engine.localChange()
        }
        return removal.report
    }

    /// As the files are now, whether or not the sync loop has looked at them.
    private func currentRules() throws(ClientFailure) -> IgnoreTree {
        do throws(StoreError) {
            let (unread, known) = try shared.withStore { store throws(StoreError) in
                (try store.unreadRuleFiles(), try store.ruleFiles())
            }
            let files = known.map { file in
                guard let new = unread.first(where: { $0.directory == file.directory }),
                    new.size <= IgnoreRules.largestFile,
                    let body = try? fileSystem.contents(of: new.node, count: Int(new.size))
                else { return file }
                return RuleFile(directory: file.directory, body: body)
            }
            return IgnoreTree(files)
        } catch {
            throw Self.storeFailure(error)
        }
    }

    /// All bytes are brought here first: what is here only is nobody's cache.
    private func keepHereOnly(_ item: IgnoredOnServer.Item) throws(ClientFailure) {
        do throws(Errno) {
            try fileSystem.detach(item.number)
        } catch {
            let path = String(decoding: item.path, as: UTF8.self)
            throw ClientFailure(
                error == .hostDown || error == .timedOut ? .unreachable : .failed,
                "The content of “\(path)” cannot be brought here: \(error)",
                remedy: "What came before it is here only now. Try again when the server can be reached.")
        }
    }

    static func storeFailure(_ error: StoreError) -> ClientFailure {
        ClientFailure(.failed, "The local state cannot be read: \(error)", remedy: "See the daemon's log.")
    }
}
