package import DbxModel

/// Where a server keeps its data, and what is injected into it.
package struct ServerConfiguration: Sendable {
    /// Holds `metadata.db` and `blocks/`; made at first start, readable by its owner only.
    package var dataDirectory: String
    /// The master key (DESIGN §4.3); made at first start.
    package var keyFile: String
    package var version: String
    package var passwordCost: PasswordCost
    package var time: any TimeSource
    package var entropy: any Entropy
    /// Receives the causes of `internal` problems, which answers do not show. Called on the thread of the request.
    package var onInternalError: @Sendable (String) -> Void

    package init(
        dataDirectory: String, keyFile: String? = nil, version: String, passwordCost: PasswordCost = .standard,
        time: any TimeSource, entropy: any Entropy = SystemEntropy(),
        onInternalError: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.dataDirectory = dataDirectory
        self.keyFile = keyFile ?? dataDirectory + "/master.key"
        self.version = version
        self.passwordCost = passwordCost
        self.time = time
        self.entropy = entropy
        self.onInternalError = onInternalError
    }

    var metadataFile: String { dataDirectory + "/metadata.db" }
    var blocksDirectory: String { dataDirectory + "/blocks" }
}
