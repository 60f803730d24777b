import DbxModel
import DbxServerCore
import DbxWire
import HummingbirdCore
import NIOCore

/// Logging in and out, and the devices of a user.
extension RequestHandler {
    @concurrent func login(_ exchange: Exchange) async throws -> Response {
        _ = try exchange.query()
        let address = exchange.peerAddress
        let body = try await exchange.wholeBody()
        return try await logins.run { [server] in
            let request = try RequestJSON.decode(LoginRequest.self, from: Array(buffer: body))
            return try Answers.json(try server.login(request, address: address))
        }
    }

    @concurrent func logout(_ exchange: Exchange) async throws -> Response {
        _ = try exchange.query()
        try await authenticated(exchange) { server, caller in try server.logout(caller) }
        return Answers.nothing()
    }

    @concurrent func session(_ exchange: Exchange) async throws -> Response {
        _ = try exchange.query()
        return try await answering(exchange) { server, caller in try server.session(caller) }
    }

    @concurrent func listDevices(_ exchange: Exchange) async throws -> Response {
        _ = try exchange.query()
        return try await answering(exchange) { server, caller in try server.devices(caller) }
    }

    @concurrent func revokeDevice(_ exchange: Exchange) async throws -> Response {
        _ = try exchange.query()
        let token = try exchange.token()
        let device: DeviceID = try exchange.identifier("device")
        try await pool.run { [server] in
            try server.revokeDevice(try server.authenticate(token: token), device: device)
        }
        return Answers.nothing()
    }
}
