import DbxModel

/// The rules of one directory as they were read last. A value.
package struct RuleFile: Hashable, Sendable {
    package var directory: InodeNumber
    package var body: [UInt8]

    package init(directory: InodeNumber, body: [UInt8]) {
        self.directory = directory
        self.body = body
    }
}

/// A file of rules whose content has not been read yet.
package struct UnreadRuleFile: Hashable, Sendable {
    package var directory: InodeNumber
    package var node: InodeNumber
    package var size: Int64
    /// Tells contents of files apart.
    package var version: Int64
}

/// Files of rules, by directory. They are kept here so that rules hold while their content cannot be fetched.
extension LocalStore {
    /// The name in the directory leads to something else now: a file of rules is to be read, or forgotten.
    func noteRulesChange(_ directory: InodeNumber, _ name: Name) throws {
        guard name == Self.rulesName else { return }
        hasRules = true
        try execute(
            """
            INSERT INTO ignore_files (directory, node, version, body) VALUES (?, 0, -1, x'')
            ON CONFLICT (directory) DO UPDATE SET version = -1
            """, [directory.sqlValue])
    }

    package var usesRules: Bool { hasRules }

    package func ruleFiles() throws(StoreError) -> [RuleFile] {
        do {
            return try query("SELECT directory, body FROM ignore_files ORDER BY directory") { row in
                RuleFile(directory: InodeNumber(row[0]), body: row.bytes(1))
            }
        } catch {
            throw Self.storeError(error)
        }
    }

    /// Files that have changed since they were read. What is gone is forgotten, with its rules.
    package func unreadRuleFiles() throws(StoreError) -> [UnreadRuleFile] {
        guard hasRules, let name = Self.rulesName else { return [] }
        do {
            let known = try query("SELECT directory, node, version FROM ignore_files ORDER BY directory") { row in
                (InodeNumber(row[0]), InodeNumber(row[1]), row[2] as Int64)
            }
            var unread: [UnreadRuleFile] = []
            for (directory, number, version) in known {
                guard let file = try lookup(directory, name), file.kind == .file else {
                    try forgetRules(of: directory)
                    continue
                }
                let current = file.contentVersion
                if file.number != number || current != version {
                    unread.append(
                        UnreadRuleFile(directory: directory, node: file.number, size: file.size, version: current))
                }
            }
            return unread
        } catch {
            throw Self.storeError(error)
        }
    }

    private func forgetRules(of directory: InodeNumber) throws {
        try transaction {
            try execute("DELETE FROM ignore_files WHERE directory = ?", [directory.sqlValue])
            rulesVersion += 1
            try review(.everything)
        }
    }

    /// The file's content has been read; nil: it cannot be, and the rules stay as they are until it changes.
    package func putRules(_ file: UnreadRuleFile, _ body: [UInt8]?) throws(StoreError) {
        try transaction {
            rulesVersion += 1
            let values = [file.node.sqlValue, file.version.sqlValue, file.directory.sqlValue]
            if let body {
                try execute(
                    "UPDATE ignore_files SET node = ?, version = ?, body = ?4 WHERE directory = ?3",
                    values + [body.sqlValue])
            } else {
                try execute("UPDATE ignore_files SET node = ?, version = ? WHERE directory = ?", values)
            }
            try review(.everything)
        }
    }
}
