import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSync
import DbxSystem
import DbxWire

/// `dbxfs conflicts`: what stands open, and what a person decides. Changes go through the file system, as a program's
/// would, and the kernel is told of them.
extension ClientDaemon {
    package func conflicts() throws(ClientFailure) -> [ConflictStatus] {
        try openConflicts().map { ConflictStatus($0, device: credentials.session.deviceName) }
    }

    private func openConflicts() throws(ClientFailure) -> [OpenConflict] {
        do throws(StoreError) {
            return try engine.openConflicts()
        } catch {
            throw ClientFailure(.failed, "The local state cannot be read: \(error)", remedy: "See the daemon's log.")
        }
    }

    package func resolve(_ path: [UInt8], _ choice: ConflictChoice) throws(ClientFailure) {
        let conflict = try openConflict(path)
        do throws(Errno) {
            switch choice {
            case .ours: try putOursInPlace(conflict)
            case .theirs: try remove(conflict.ours, conflict.record.keptAs, conflict.record.parent)
            case .both: break
            }
        } catch {
            let path = String(decoding: choice == .ours ? conflict.path : conflict.keptAsPath, as: UTF8.self)
            throw ClientFailure(
                .failed, "“\(path)” cannot be replaced: \(error)",
                remedy: "Move or remove by hand what is not wanted; the conflict is then no longer listed.")
        }
        do throws(StoreError) {
            try shared.withStore { store throws(StoreError) in
                try store.forgetConflict(in: conflict.record.parent, keptAs: conflict.record.keptAs)
            }
        } catch {
            throw ClientFailure(.failed, "The local state cannot be written: \(error)", remedy: "See the daemon's log.")
        }
    }

    /// By the path of either version.
    private func openConflict(_ path: [UInt8]) throws(ClientFailure) -> OpenConflict {
        let open = try openConflicts()
        let named = open.filter { $0.keptAsPath == path }
        let found = named.isEmpty ? open.filter { $0.path == path } : named
        let shown = String(decoding: path, as: UTF8.self)
        guard let conflict = found.first else {
            throw ClientFailure(
                .failed, "“\(shown)” is in no conflict", remedy: "To see those that are: dbxfs conflicts")
        }
        guard found.count == 1 else {
            throw ClientFailure(
                .failed, "“\(shown)” has \(found.count) other versions",
                remedy: "Name one of the copies that “dbxfs conflicts” lists.")
        }
        return conflict
    }

    private func putOursInPlace(_ conflict: OpenConflict) throws(Errno) {
        let record = conflict.record
        if let theirs = conflict.theirs, theirs.kind == .directory || conflict.ours.kind == .directory {
            try remove(theirs, record.name, record.parent)
        }
        let rename = Rename(record.keptAs, in: record.parent, to: record.name, in: record.parent)
        if try !fileSystem.renameAtOnce(rename) {
            let outcome = Monitor<Result<Void, Errno>?>(nil)
            fileSystem.renameAfterFlush(rename) { result in outcome.update { $0 = result } }
            try outcome.wait { $0 }?.get()
        }
        fileSystem.apply(changes: [
            .entry(parent: record.parent, name: record.keptAs), .entry(parent: record.parent, name: record.name),
        ])
    }

    /// A folder only when it is empty: nobody meant a tree by naming one version of a name.
    private func remove(_ node: LocalNode, _ name: Name, _ parent: InodeNumber) throws(Errno) {
        if node.kind == .directory {
            try fileSystem.removeDirectory(name, in: parent)
        } else {
            try fileSystem.unlink(name, in: parent)
        }
        fileSystem.apply(changes: [.entry(parent: parent, name: name)])
    }
}
