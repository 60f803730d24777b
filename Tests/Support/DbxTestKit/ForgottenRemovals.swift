import DbxServerStores

/// A server that has forgotten what was removed, as its retention allows: older cursors are too old.
package enum ForgottenRemovals {
    private enum Statements: String, SQLStatements {
        case forget = "DELETE FROM entries WHERE node_id IS NULL"
        case refuseOlderCursors = "UPDATE namespaces SET floor_seq = head_seq"
    }

    /// In the server's data directory, which may be in use.
    package static func make(in dataDirectory: String) throws {
        try SQLiteDriver(path: dataDirectory + "/metadata.db").write { connection in
            for statement in Statements.allCases { try connection.run(statement, []) }
        }
    }
}
