package import DbxModel
package import DbxWire

extension Server {
    /// Checks the password and registers a device. `address` is the peer's, for the rate limit.
    package func login(_ request: LoginRequest, address: String) throws(Problem) -> LoginResponse { fatalError() }

    /// The caller behind a bearer token; `unauthenticated` for an unknown or revoked one and for disabled users.
    package func authenticate(token: String) throws(Problem) -> Caller { fatalError() }

    package func logout(_ caller: Caller) throws(Problem) { fatalError() }
    package func devices(_ caller: Caller) throws(Problem) -> [DeviceRow] { fatalError() }
    package func revokeDevice(_ caller: Caller, device: DeviceID) throws(Problem) { fatalError() }
    package func session(_ caller: Caller) throws(Problem) -> SessionResponse { fatalError() }
}
