/// Statements on the version table.
package enum SchemaStatements: String, SQLStatements {
    case version = "SELECT version FROM schema_version"
    case insertVersion = "INSERT INTO schema_version (version) VALUES (?1)"
    case updateVersion = "UPDATE schema_version SET version = ?1"
}

/// Every statement that a store runs, by name: what the databases' dialects are tested with.
package enum StatementCatalogue {
    package static let versionTable = "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)"

    package static var all: [(name: String, sql: String)] {
        texts(SchemaStatements.self) + texts(AccountStatements.self) + texts(NamespaceStatements.self)
            + texts(TreeStatements.self) + texts(ContentStatements.self) + texts(BlockStatements.self)
            + texts(JournalStatements.self) + texts(StatusStatements.self)
            + texts(ConsistencyStatements.self) + texts(CheckStatements.self) + texts(DerivationStatements.self)
    }

    private static func texts<Family: SQLStatements>(_ family: Family.Type) -> [(name: String, sql: String)] {
        Family.allCases.map { ("\(family).\($0)", $0.rawValue) }
    }
}
