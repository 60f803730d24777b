package import DbxModel

/// Who sent a request: a user on one device, as its token showed. Says nothing about what they may do; `AccessPolicy`
/// asks the store again in the transaction of every action.
package struct Caller: Hashable, Sendable {
    package let user: UserID
    package let device: DeviceID
    package let org: OrgID

    package init(user: UserID, device: DeviceID, org: OrgID) {
        self.user = user
        self.device = device
        self.org = org
    }
}
