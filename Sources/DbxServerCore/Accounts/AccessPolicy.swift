import DbxModel
import DbxServerStores
import DbxWire

/// What a caller wants to do with a namespace.
enum NamespaceAction: Hashable, Sendable {
    case read, write
}

/// The one place that decides who may do what (DESIGN §6). Asked inside the transaction of the action, so that a
/// revoked device or a disabled user is refused at once.
enum AccessPolicy {
    /// The caller's role. Unknown and forbidden namespaces are answered alike.
    @discardableResult
    static func check(
        _ caller: Caller, _ action: NamespaceAction, in namespace: NamespaceID, _ rows: any MetadataTransaction
    ) throws -> NamespaceRole {
        guard let standing = try rows.standing(of: caller.device, of: caller.user, in: namespace) else {
            throw Problem.loggedOut
        }
        guard let text = standing.role, let role = NamespaceRole(rawValue: text) else {
            throw Problem(kind: .notFound, detail: "There is no such namespace, or it is not shared with you.")
        }
        guard allows(role, action) else {
            throw Problem(kind: .forbidden, detail: "You may read this namespace but not change it.")
        }
        return role
    }

    /// Whether the caller may act on their own account.
    static func check(_ caller: Caller, _ rows: any MetadataTransaction) throws {
        guard try rows.standing(of: caller.device, of: caller.user, in: nil) != nil else { throw Problem.loggedOut }
    }

    static func allows(_ role: NamespaceRole, _ action: NamespaceAction) -> Bool {
        switch (role, action) {
        case (.owner, _), (.writer, _), (.reader, .read): true
        case (.reader, .write): false
        }
    }
}

extension Problem {
    static let loggedOut = Problem(
        kind: .unauthenticated, detail: "This device is not logged in any more: run dbxfs login.")

    static func badRequest(_ detail: String) -> Problem { Problem(kind: .badRequest, detail: detail) }
}
