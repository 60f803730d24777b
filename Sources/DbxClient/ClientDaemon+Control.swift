import CurlHTTP
import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxMount
import DbxSync
import DbxSystem
import DbxTransfer
import DbxWire
import Glibc
import Logging
import Synchronization

extension ClientDaemon: ControlHandling {
    package func sync(report: (PendingStatus) -> Bool) throws(ClientFailure) {
        do throws(Errno) {
            try fileSystem.synchronizeEverything()
        } catch {
            guard !keepsNothing else { return try sendAll(report) }
            throw ClientFailure(.failed, "The local disk failed: \(error)", remedy: "See the daemon's log.")
        }
        try engine.sync(report: report)
    }

    package var keepsNothing: Bool { shared.withStore { $0.isDeleted } }

    /// Where nothing here can keep it.
    private func sendAll(_ report: (PendingStatus) -> Bool) throws(ClientFailure) {
        do throws(ClientFailure) {
            try engine.sync(report: report)
        } catch {
            throw ClientFailure(
                error.status, error.problem,
                remedy:
                    "The local state was deleted, so only the running daemon has it: leave that running, and try again "
                    + "when the cause is gone, or copy what matters out of \(options.mountPoint).")
        }
    }

    /// Of a daemon that is told to end and whose state was deleted: as long as a service manager waits.
    func sendBeforeTheEnd() {
        guard keepsNothing else { return }
        let end = SystemTime().monotonic() + .seconds(30)
        do throws(ClientFailure) {
            try engine.sync { _ in SystemTime().monotonic() < end }
        } catch {
            log.error("\(error.problem). The local state was deleted: this is lost with the daemon")
        }
    }

    package func states(of paths: [[UInt8]]) throws(ClientFailure) -> [PathStatus] { try engine.states(of: paths) }

    package func activity(after number: Int64, limit: Int, patience: Duration) -> [ActivityRecord] {
        journal.records(after: number, limit: limit, patience: patience)
    }

    package func guarded(_ answer: GuardAnswer?) throws(ClientFailure) -> GuardStatus? {
        guard let answer else { return engine.guarded }
        return try engine.answerGuard(answer)
    }

    package func change(_ change: TransferChange) throws(ClientFailure) -> TransferSettings {
        let changed = try settings.withLock { settings throws(ClientFailure) in
            let changed = change.applied(to: settings)
            try changed.save(for: options.profile)
            settings = changed
            return changed
        }
        apply(changed)
        return changed
    }

    func apply(_ settings: TransferSettings) {
        rates.up.set(bytesPerSecond: settings.uploadLimit)
        rates.down.set(bytesPerSecond: settings.downloadLimit)
        engine.pauseAsTold(by: settings)
        metered.set(settings.metered ?? .auto)
    }

    package func shutdown() { ending.update { $0.isAskedTo = true } }

    package func status() -> ClientStatus {
        let report = engine.report.current
        let pending = engine.pending()
        var status = ClientStatus(
            version: ClientVersion.current, profile: options.profile.name, processID: getpid(),
            dataDirectory: options.profile.dataDirectory, server: options.settings.server,
            user: credentials.session.userName,
            device: credentials.session.deviceName, mountPoint: options.mountPoint, mountedAt: startedAt,
            connection: connectivity.status, tree: crawler.status, pending: pending, localOnly: engine.localOnly(),
            transfer: transfer(pending),
            refused: report.refused, lastError: report.lastError, cache: cache(), quota: report.quota,
            counters: counters(report), settings: currentSettings,
            held: report.guarded, conflicts: (try? conflicts().count) ?? 0,
            recoveries: (try? RecoveryLog.load(for: options.profile)) ?? [], warnings: warnings(),
            collisions: engine.collisions())
        status.isMetered = engine.isMetered
        (status.pins, status.pinsGone) = pinSummary()
        status.lostVersions = (try? shared.withStore { try LostVersion.all(in: $0) }) ?? []
        return status
    }

    private func warnings() -> [String] {
        let directory = options.profile.dataDirectory
        if keepsNothing {
            return [
                "the local state in \(directory) was deleted while it was mounted: fsync fails, and what is pending is only in "
                    + "the daemon until it is sent. When nothing is pending, mount again (dbxfs umount, dbxfs mount)"
            ]
        }
        if let failure = shared.withStore({ $0.failure }) {
            return ["\(failure). Check the disk of \(directory): all goes on as soon as it works"]
        }
        if let failure = fileSystem.diskFailure {
            return [
                "the disk of \(directory) has failed to keep what was written (\(failure)): fsync fails, and nothing is sent, "
                    + "until the mount begins anew. Check the disk, then run: dbxfs umount, and dbxfs mount"
            ]
        }
        if shared.withStore({ $0.isDiskFull }) {
            return [
                "the disk of \(directory) is full: new files and writes are refused and changes from elsewhere wait, until it has "
                    + "32 MiB free. What is not on the server stays safe; removing and sending go on"
            ]
        }
        guard shared.withStore({ $0.isDamaged }) else { return [] }
        return [
            "the local state database is damaged; mount again (dbxfs umount, dbxfs mount): it is made anew then, and what "
                + "is not on the server is saved"
        ]
    }

    /// A pause whose end has come is none.
    private var currentSettings: TransferSettings {
        var current = settings.withLock { $0 }
        current.isPaused = engine.pause.isOn
        return current
    }

    private func transfer(_ pending: PendingStatus) -> TransferStatus {
        let rates = meter.rates()
        let isMoving = rates.upload > 0 && pending.bytes > 0 && !engine.report.current.isStuck
        let left = isMoving ? pending.bytes / rates.upload + 1 : nil
        return TransferStatus(
            uploadBytesPerSecond: rates.upload, downloadBytesPerSecond: rates.download, secondsLeft: left)
    }

    private func cache() -> CacheStatus {
        shared.withStore { store in
            CacheStatus(
                cachedBytes: store.cachedBytes, limitBytes: store.configuration.cacheLimitBytes,
                stagingBytes: store.stagingBytes)
        }
    }

    private func counters(_ report: EngineReport.State) -> ClientCounters {
        let totals = meter.totals
        return ClientCounters(
            fuse: fileSystem.counters.all, invalidations: mount.withLock { $0 }?.invalidations ?? [:],
            requests: connectivity.requestCount, fetchedBlocks: totals.fetchedBlocks,
            fetchedBytes: totals.fetchedBytes, uploadedBlocks: totals.uploadedBlocks,
            uploadedBytes: totals.uploadedBytes, commits: report.commits, commitRows: report.commitRows,
            pulls: report.pulls, changeEvents: changeEvents.counts,
            heldWrites: fileSystem.heldAnswers)
    }
}
