import DbxServerCore

/// In this module the name means the façade of the core, not the class of that name in HummingbirdCore.
typealias Server = DbxServerCore.Server
