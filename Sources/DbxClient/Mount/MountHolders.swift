import DbxSystem
import Foundation

/// Which programs keep a mount busy, as /proc tells it: by a working directory, a root, a program that runs from it, or an
/// open file. Only links of /proc are read, never the mount itself.
enum MountHolders {
    private static let most = 5

    /// “name (pid 123)” of those that may be seen, a few of them.
    static func find(_ mountPoint: String) -> [String] {
        let processes = ((try? Paths.names(in: "/proc")) ?? []).compactMap { Int32($0) }.sorted()
        let holders = processes.filter { holds($0, mountPoint) }
        let shown = holders.prefix(most).map { "\(name(of: $0)) (pid \($0))" }
        return shown + (holders.count > most ? ["\(holders.count - most) more"] : [])
    }

    private static func holds(_ process: Int32, _ mountPoint: String) -> Bool {
        let directory = "/proc/\(process)"
        let files = ((try? Paths.names(in: directory + "/fd")) ?? []).map { "/fd/\($0)" }
        return (["/cwd", "/root", "/exe"] + files).contains { link in
            guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: directory + link) else {
                return false
            }
            return target == mountPoint || target.hasPrefix(mountPoint + "/")
        }
    }

    private static func name(of process: Int32) -> String {
        let text = try? String(contentsOfFile: "/proc/\(process)/comm", encoding: .utf8)
        return text?.trimmingCharacters(in: .whitespacesAndNewlines) ?? "a program"
    }
}
