import DbxClientAPI
import DbxFileSystem
import DbxSystem
import Logging

extension ClientDaemon {
    /// The kernel cannot freeze a program that waits for an answer of ours: before a sleep all have one, and what was
    /// written is on the disk.
    var sleepHandler: SleepWatch.Handler {
        SleepWatch.Handler(
            prepare: { [log, connectivity, fileSystem] in
                log.info("the machine is about to sleep")
                connectivity.fallAsleep()
                fileSystem.prepareForSleep()
            },
            wake: { [log, connectivity, fileSystem, api] in
                log.info("the machine is awake")
                api.closeIdleConnections()
                fileSystem.wake()
                connectivity.wake()
            })
    }
}
