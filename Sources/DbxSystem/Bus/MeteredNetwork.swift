/// Whether the machine's connection is one where data cost money, as NetworkManager knows or guesses it
/// (https://networkmanager.dev/docs/api/latest/nm-dbus-types.html#NMMetered).
package enum MeteredNetwork {
    private static let manager = "org.freedesktop.NetworkManager"
    /// NM_METERED_YES, NM_METERED_GUESS_YES.
    private static let yes: Set<UInt32> = [1, 3]

    /// False where nobody can tell. Waits for the bus, some seconds at most.
    package static func isMetered() -> Bool {
        let question = BusMessage.call(
            manager, "/org/freedesktop/NetworkManager", "org.freedesktop.DBus.Properties", "Get",
            [.string(manager), .string("Metered")])
        guard let answer = try? SystemBus().call(question).message.body.first, case .number(let value) = answer else {
            return false
        }
        return yes.contains(value)
    }
}
