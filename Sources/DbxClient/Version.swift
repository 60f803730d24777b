/// The version that `dbxfs version`, `status` and the User-Agent state.
package enum ClientVersion {
    package static let current = "0.1.0"
}
