import DbxClientAPI
import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSystem
import DbxWire
import Logging

/// Files that were saved from a damaged state, on their way back into the tree.
extension ClientDaemon {
    /// Before any program sees the tree and before sync begins.
    func bringBack(_ progress: (String) -> Void) throws(ClientFailure) {
        var recoveries = try RecoveryLog.load(for: options.profile)
        guard recoveries.contains(where: { $0.waitingCount > 0 }) else { return }
        guard try knowsPlaces(of: recoveries) else { return }
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

    /// Lists the folders that saved files go back to. False where that has to wait: what is known is shown meanwhile.
    private func knowsPlaces(of recoveries: [Recovery]) throws(ClientFailure) -> Bool {
        do {
            for file in recoveries.flatMap(\.files) where file.outcome == .waiting {
                try listing.learn(file.path64.bytes.split(separator: 0x2F).compactMap { Name(Array($0)) })
                if let identity = file.identity, identity.base != .zero { try listing.learn(identity.node) }
            }
            return true
        } catch let error as APIError where error.meaning != .refused {
            throw waiting(because: Account.failure(of: error, server: options.settings.server))
        } catch {
            // The server does not know where this computer stood: sync begins anew, and the next mount tries again.
            log.error("the folders of saved files cannot be listed: \(error)")
            return false
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
