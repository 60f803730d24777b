import DbxLocalStore
import DbxSystem

/// What a profile has on disk, seen without its daemon. The caller holds the profile's lock.
package enum LocalState {
    /// What is only here; nil when the profile was never mounted.
    package static func pending(of profile: Profile) throws(ClientFailure) -> PendingStatus? {
        guard Paths.exists(profile.dataDirectory + "/state.db") else { return nil }
        do throws(StoreError) {
            let summary = try LocalStore(StoreConfiguration(directory: profile.dataDirectory)).pendingSummary()
            return PendingStatus(files: summary.files, bytes: summary.bytes, oldest: summary.oldest)
        } catch {
            throw ClientFailure(
                .failed, "Cannot tell what of profile “\(profile.name)” is not on the server yet: \(error)",
                remedy: "To give up what is only here: dbxfs logout --discard")
        }
    }
}
