package import DbxWire
import HTTPTypes

/// One thing a client can ask for: a route with a method. The OpenAPI document has one operation of this id each, and
/// `RequestHandler` answers each in one exhaustive switch.
package enum Operation: String, CaseIterable, Sendable {
    case health, ready, openAPI
    case login, logout, session, listDevices, revokeDevice
    case changes, commit, readNodes, listDirectory, listRevisions
    case requestUploads, upload, storePack, readBlocks, readBlock
    case events, pollEvents

    package var route: Route {
        switch self {
        case .health: .health
        case .ready: .ready
        case .openAPI: .openAPI
        case .login: .login
        case .logout: .logout
        case .session: .session
        case .listDevices: .devices
        case .revokeDevice: .device
        case .changes: .changes
        case .commit: .commits
        case .readNodes: .nodes
        case .listDirectory: .listing
        case .listRevisions: .revisions
        case .requestUploads: .uploads
        case .upload: .upload
        case .storePack: .packs
        case .readBlocks: .blocks
        case .readBlock: .block
        case .events: .events
        case .pollEvents: .eventsPoll
        }
    }

    /// The method's name, in capitals.
    package var method: String {
        switch self {
        case .login, .logout, .commit, .requestUploads, .storePack, .readBlocks: "POST"
        case .upload: "PUT"
        case .revokeDevice: "DELETE"
        default: "GET"
        }
    }

    /// Every GET is also a HEAD, except the event stream, which has no length and no end.
    var allowsHead: Bool { method == "GET" && self != .events }

    /// Bytes of body that are read at most; more is `payload-too-large`.
    var bodyLimitBytes: Int {
        switch self {
        case .login: 16 << 10
        case .requestUploads: 512 << 10
        case .commit: 24 << 20
        case .upload: 5 << 20
        case .storePack: PackResponse.maximumBytes
        case .readBlocks: 64 << 10
        default: 16 << 10
        }
    }

    /// Whether the answer depends on who asks, so that no shared cache may keep it.
    var isPrivate: Bool {
        switch self {
        case .health, .ready, .openAPI: false
        default: true
        }
    }

    /// Whether bodies may be compressed, of the request and of the answer. Not where they hold keys or tokens: the length
    /// of what is compressed together with them would tell of them.
    var mayCompress: Bool {
        switch self {
        case .changes, .commit, .listDirectory, .listRevisions, .requestUploads: true
        default: false
        }
    }
}
