import DbxSystem
import Foundation

/// What cannot wait until somebody asks for the status, shown by the desktop where there is one (`notify-send`).
enum DesktopNotice {
    /// Nil in a session without a desktop's message bus.
    static var shower: (@Sendable (String) -> Void)? {
        guard ProcessInfo.processInfo.environment["DBUS_SESSION_BUS_ADDRESS"] != nil else { return nil }
        return { text in
            // The desktop takes as long as it likes, and may lack the program.
            _ = try? WorkerThread(name: "dbxfs-notice") {
                _ = try? ChildProcess.run("notify-send", ["--app-name=dbxfs", "--icon=dialog-warning", "dbxfs", text])
            }
        }
    }
}
