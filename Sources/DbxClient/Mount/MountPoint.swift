import DbxSystem
import Foundation
import FuseLowLevel

/// The directory a profile is mounted on: checks before, detaching after. Never looks into a mounted directory, whose
/// daemon may be gone or busy.
package enum MountPoint {
    /// The absolute path without symbolic links.
    package static func resolve(_ path: String) -> String {
        var path = withoutLinksInParents(path)
        // As many as path_resolution(7) allows.
        for _ in 0..<40 {
            guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: path) else { break }
            path = withoutLinksInParents(
                target.hasPrefix("/") ? target : (path as NSString).deletingLastPathComponent + "/" + target)
        }
        return path
    }

    private static func withoutLinksInParents(_ path: String) -> String {
        let absolute =
            path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
        let url = URL(fileURLWithPath: absolute).standardizedFileURL
        let parent = url.deletingLastPathComponent().resolvingSymlinksInPath().path
        return parent == "/" ? "/" + url.lastPathComponent : parent + "/" + url.lastPathComponent
    }

    /// Throws `.mountPoint` unless `path` is an empty directory of ours that nothing is mounted on. What a daemon that
    /// was killed has left mounted is detached first.
    package static func prepare(_ path: String) throws(ClientFailure) {
        if let mount = MountTable.current().last(where: { $0.mountPoint == path }) {
            guard mount.type == "fuse.dbxfs", !hasDaemon(path) else {
                throw ClientFailure(
                    .mountPoint, "Something is already mounted at \(path) (\(mount.type))",
                    remedy: "Choose another directory, or unmount it first: dbxfs umount \(path)")
            }
            // Programs that wait for the killed daemon get an error instead of waiting for ever.
            if FuseUnmount.abort(path) != .unmounted { try detach(path, lazily: true) }
        }
        guard Paths.exists(path) else {
            throw ClientFailure(
                .mountPoint, "The mount point \(path) does not exist", remedy: "Run: mkdir -p \(path)")
        }
        guard Paths.isDirectory(path) else {
            throw ClientFailure(
                .mountPoint, "The mount point \(path) is not a directory", remedy: "Choose an empty directory.")
        }
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: path)
        } catch {
            throw ClientFailure(
                .mountPoint, "Cannot read the mount point \(path): \(error.localizedDescription)",
                remedy: "Choose an empty directory that belongs to you.")
        }
        guard names.isEmpty else {
            throw ClientFailure(
                .mountPoint, "The mount point \(path) is not empty: the mount would hide what is in it",
                remedy: "Choose an empty directory, or move the \(names.count) entries away first.")
        }
        guard FileManager.default.isWritableFile(atPath: path) else {
            throw ClientFailure(
                .mountPoint, "The mount point \(path) does not belong to you",
                remedy: "Choose an empty directory that you may write to.")
        }
    }

    /// Whether a dbxfs mount stands at `path`, alive or not.
    package static func isMounted(_ path: String) -> Bool {
        MountTable.current().contains { $0.mountPoint == path && $0.type == "fuse.dbxfs" }
    }

    /// Takes the mount away. Without `lazily` it throws `.busy` while a program has something open in it.
    package static func detach(_ path: String, lazily: Bool = false) throws(ClientFailure) {
        let outcome: (code: Int32, output: String)
        do {
            outcome = try ChildProcess.run("fusermount3", ["-u"] + (lazily ? ["-z"] : []) + ["--", path])
        } catch {
            throw ClientFailure(
                .failed, "Cannot run fusermount3: \(error)", remedy: "Install it: sudo apt install fuse3")
        }
        guard outcome.code != 0, isMounted(path) else { return }
        if outcome.output.localizedCaseInsensitiveContains("busy") {
            let holders = MountHolders.find(path).joined(separator: ", ")
            throw ClientFailure(
                .busy, "\(path) is in use" + (holders.isEmpty ? "" : " by \(holders)"),
                remedy: "Close what uses it, or leave the directory in your shell, and try again.")
        }
        throw ClientFailure(
            .failed, "Cannot unmount \(path): \(outcome.output.trimmingCharacters(in: .whitespacesAndNewlines))",
            remedy: "Run as the user who mounted it: dbxfs umount \(path)")
    }

    /// Other users may enter only where the administrator allows it; root may always.
    package static func checkAllowOther() throws(ClientFailure) {
        if geteuid() == 0 { return }
        let lines = ((try? String(contentsOfFile: "/etc/fuse.conf", encoding: .utf8)) ?? "").split(separator: "\n")
        guard lines.contains(where: { $0.trimmingCharacters(in: .whitespaces) == "user_allow_other" }) else {
            throw ClientFailure(
                .usage, "--allow-other is not allowed on this machine",
                remedy: "Add the line “user_allow_other” to /etc/fuse.conf (as root), or leave the option out.")
        }
    }

    private static func hasDaemon(_ path: String) -> Bool {
        guard let directories = try? BaseDirectories() else { return false }
        return Profile.all(in: directories).contains { ProfileLock.holder(of: $0)?.mountPoint == path }
    }
}
