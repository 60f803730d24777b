import DbxLocalStore
import DbxSystem

/// What a profile has on disk, seen without its daemon. The caller holds the profile's lock.
package enum LocalState {
    /// What a logout would lose: what waits for the server and what rules keep here.
    package struct OnlyHere: Sendable {
        package var pending: PendingStatus
        package var localOnly: LocalOnlyStatus
    }

    /// Nil when the profile was never mounted.
    package static func onlyHere(in profile: Profile) throws(ClientFailure) -> OnlyHere? {
        guard Paths.exists(profile.dataDirectory + "/state.db") else { return nil }
        do throws(StoreError) {
            let store = try LocalStore(StoreConfiguration(directory: profile.dataDirectory))
            let (pending, localOnly) = (try store.pendingSummary(), try store.localOnlySummary())
            return OnlyHere(
                pending: PendingStatus(files: pending.files, bytes: pending.bytes, oldest: pending.oldest),
                localOnly: LocalOnlyStatus(files: localOnly.files, bytes: localOnly.bytes))
        } catch {
            throw ClientFailure(
                .failed, "Cannot tell what of profile “\(profile.name)” is not on the server yet: \(error)",
                remedy: "To give up what is only here: dbxfs logout --discard")
        }
    }
}
