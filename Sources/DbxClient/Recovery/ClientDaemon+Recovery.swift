import DbxFileSystem
import DbxSystem
import DbxWire
import Logging

/// Files that were saved from a damaged state, on their way back into the tree.
extension ClientDaemon {
    /// Before any program sees the tree and before sync begins.
    func bringBack(_ progress: (String) -> Void) throws(ClientFailure) {
        var recoveries = try RecoveryLog.load(for: options.profile)
        guard recoveries.contains(where: { $0.waitingCount > 0 }) else { return }
        let restorer = TreeRestorer(shared: shared, device: credentials.session.deviceName, time: SystemTime())
        do {
            for index in recoveries.indices where recoveries[index].waitingCount > 0 {
                try restorer.restore(&recoveries[index])
            }
            try fileSystem.synchronizeEverything()
        } catch {
            throw ClientFailure(
                .failed, "Files that were saved from a damaged local state cannot be brought back: \(error)",
                remedy: "They are listed in \(options.profile.recoveryFile). Check the disk, and mount again.")
        }
        try RecoveryLog.save(recoveries, for: options.profile)
        for recovery in recoveries {
            log.notice("\(recovery.summary)")
            progress("dbxfs: \(recovery.summary). To see them: dbxfs recovered")
            for file in recovery.files where file.outcome == .restored || file.outcome == .copied {
                try? Paths.remove(file.savedAs)
            }
        }
    }

    /// Without the server a state that is made anew has no tree to show.
    func waiting(because failure: ClientFailure) -> ClientFailure {
        let recoveries = (try? RecoveryLog.load(for: options.profile)) ?? []
        guard recoveries.contains(where: { $0.waitingCount > 0 || !$0.losses.isEmpty }) else { return failure }
        return ClientFailure(
            failure.status,
            "\(failure.problem). The local state was damaged, so the tree has to come from the server; what only this "
                + "computer had is safe (dbxfs recovered) and comes back then",
            remedy: failure.remedy)
    }
}
