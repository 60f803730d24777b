import DbxClientAPI
import DbxLocalStore
import DbxModel
import DbxTransfer
import DbxWire

/// What has happened since the sync loop last looked. A value, guarded by the engine's monitor.
struct EngineSignals: Sendable {
    var isStopped = false
    /// Something changed here.
    var hasLocalChange = false
    /// Files that no program writes to any more.
    var closedFiles: Set<InodeNumber> = []
    /// Contents that programs had fetched, in bytes.
    var fetched: [InodeNumber: Int64] = [:]
    var finishedUploads: [FinishedUpload] = []
    /// The newest head of the namespace that the server told of.
    var noticedHead = Seq.zero
    /// A pull is due whatever the head.
    var mustPull = false
    /// Reachability changed: what was put off is tried at once.
    var hasConnected = false
    /// The server was lost: what is on its way to it is ended.
    var hasDisconnected = false
    /// Writers are filling staging.
    var isStagingFilling = false
    /// Writers wait for room.
    var isStagingFull = false
    /// Somebody began or ceased to wait for everything to be on the server.
    var urgencyChanged = false
    /// A pause began or ended, or the connection became metered or ceased to be.
    var pauseChanged = false
    /// Of the commit on its way, for which the loop waits by itself.
    var answer: Result<CommitResult, APIError>?
    /// What a person says about a mass change, with the store's change counter of that moment.
    var guardAnswer: (GuardAnswer, change: Int64)?

    /// Whether something goes before the next commit.
    var isUrgent: Bool {
        isStopped || mustPull || hasDisconnected || pauseChanged || guardAnswer != nil || !closedFiles.isEmpty
    }

    /// Whether the loop has a reason to wake.
    var isPending: Bool {
        isStopped || hasLocalChange || mustPull || !closedFiles.isEmpty || !fetched.isEmpty
            || !finishedUploads.isEmpty
            || noticedHead != .zero
            || hasConnected || hasDisconnected || isStagingFilling || isStagingFull || urgencyChanged || pauseChanged
            || guardAnswer != nil
    }
}

/// The end of one file's upload.
struct FinishedUpload: Sendable {
    var number: InodeNumber
    /// Nil where there was nothing to upload any more.
    var snapshot: UploadSnapshot?
    var result: Result<ContentUpload?, UploadFailure>
}
