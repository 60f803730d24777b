/// Paths of the REST interface, in one place for server and client. `{x}` are path parameters.
package enum Route: String, CaseIterable, Sendable {
    case health = "/v1/health"
    case ready = "/v1/ready"
    case openAPI = "/v1/openapi.json"
    case login = "/v1/login"
    case logout = "/v1/logout"
    case session = "/v1/session"
    case devices = "/v1/devices"
    case device = "/v1/devices/{device}"
    case changes = "/v1/namespaces/{namespace}/changes"
    case commits = "/v1/namespaces/{namespace}/commits"
    case uploads = "/v1/namespaces/{namespace}/uploads"
    case blocks = "/v1/namespaces/{namespace}/blocks"
    case packs = "/v1/namespaces/{namespace}/packs"
    case block = "/v1/namespaces/{namespace}/blocks/{block}"
    case nodes = "/v1/namespaces/{namespace}/nodes"
    case listing = "/v1/namespaces/{namespace}/nodes/{node}/entries"
    case revisions = "/v1/namespaces/{namespace}/nodes/{node}/revisions"
    case events = "/v1/events"
    case eventsPoll = "/v1/events/poll"
    /// Where signed uploads of the directory store go; no token, the signature is the leave.
    case upload = "/v1/uploads/{upload}"
}
