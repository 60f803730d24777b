/// Statements on orgs, users and devices.
package enum AccountStatements: String, SQLStatements {
    case insertOrg = """
        INSERT INTO orgs (id, name, wrapped_key, wrapped_convergence_key, created_at) VALUES (?1, ?2, ?3, ?4, ?5)
        """
    case orgs = "SELECT id, name, wrapped_key, wrapped_convergence_key, created_at FROM orgs ORDER BY created_at, id"

    case insertUser = """
        INSERT INTO users (id, org_id, name, password, disabled, root_namespace_id, created_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
        """
    case userNamed = """
        SELECT id, org_id, name, password, disabled, root_namespace_id, created_at FROM users WHERE name = ?1
        """
    case user = """
        SELECT id, org_id, name, password, disabled, root_namespace_id, created_at FROM users WHERE id = ?1
        """
    case users = """
        SELECT id, org_id, name, password, disabled, root_namespace_id, created_at FROM users ORDER BY name
        """
    case setUserDisabled = "UPDATE users SET disabled = ?2 WHERE id = ?1"
    case setUserPassword = "UPDATE users SET password = ?2 WHERE id = ?1"

    case insertDevice = """
        INSERT INTO devices (id, user_id, name, token_hash, created_at, last_seen_at, revoked)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
        """
    case deviceByToken = """
        SELECT d.id, d.user_id, d.name, d.token_hash, d.created_at, d.last_seen_at, d.revoked, u.disabled, u.org_id
        FROM devices d JOIN users u ON u.id = d.user_id WHERE d.token_hash = ?1
        """
    case device = """
        SELECT id, user_id, name, token_hash, created_at, last_seen_at, revoked FROM devices WHERE id = ?1
        """
    case devicesOfUser = """
        SELECT id, user_id, name, token_hash, created_at, last_seen_at, revoked FROM devices
        WHERE user_id = ?1 AND revoked = 0 ORDER BY created_at, id
        """
    case touchDevice = "UPDATE devices SET last_seen_at = ?2 WHERE id = ?1"
    case revokeDevice = "UPDATE devices SET revoked = 1 WHERE id = ?1"
    case revokeDevicesOfUser = "UPDATE devices SET revoked = 1 WHERE user_id = ?1"

    /// One row while the device may act at all; the role is null outside the namespace.
    case standing = """
        SELECT m.role FROM devices d JOIN users u ON u.id = d.user_id
        LEFT JOIN members m ON m.namespace_id = ?3 AND m.user_id = u.id
        WHERE d.id = ?1 AND u.id = ?2 AND d.revoked = 0 AND u.disabled = 0
        """
}
