/// The row operations in SQL, on the connection of one running transaction; one file for each family.
final class SQLTransaction: MetadataTransaction {
    let connection: any SQLConnection

    init(_ connection: any SQLConnection) { self.connection = connection }

    /// All rows of an answer, each read by `read`.
    func rows<Record>(
        _ statement: some SQLStatements, _ values: [SQLValue],
        _ read: (inout RowReader) throws(StoreError) -> Record
    ) throws(StoreError) -> [Record] {
        var records: [Record] = []
        for row in try connection.query(statement, values) {
            var reader = RowReader(row)
            records.append(try read(&reader))
        }
        return records
    }

    /// The first row of an answer.
    func row<Record>(
        _ statement: some SQLStatements, _ values: [SQLValue],
        _ read: (inout RowReader) throws(StoreError) -> Record
    ) throws(StoreError) -> Record? {
        guard let row = try connection.query(statement, values).first else { return nil }
        var reader = RowReader(row)
        return try read(&reader)
    }

    func run(_ statement: some SQLStatements, _ values: [SQLValue]) throws(StoreError) {
        try connection.run(statement, values)
    }

    /// The only row of a count.
    func count(_ statement: some SQLStatements) throws(StoreError) -> Int {
        try row(statement, []) { row throws(StoreError) in try row.count() } ?? 0
    }
}
