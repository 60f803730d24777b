import DbxSystem
import Foundation

/// The exclusive right to a profile's state: held by its daemon for its whole life, and by `logout` while it deletes.
///
/// It is a flock(2) on `daemon.lock`, so it goes with the process that holds it however that ends. The file also says
/// who holds it; what it says counts only while it is locked.
package final class ProfileLock: Sendable {
    /// Who holds a profile.
    package struct Holder: Hashable, Sendable, Codable {
        package var processID: Int32
        /// Nil for a command that is no daemon.
        package var mountPoint: String?
        package var socketPath: String
    }

    private let file: OpenFile

    private init(_ file: OpenFile) { self.file = file }

    /// Throws `.busy`, naming the holder.
    package static func take(_ profile: Profile, mountPoint: String?) throws(ClientFailure) -> ProfileLock {
        try PrivateFile.makeDirectory(profile.dataDirectory)
        do {
            let file = try OpenFile(path: profile.lockFile, [.readWrite, .create])
            guard try file.tryLock() else { throw held(profile) }
            let holder = Holder(processID: getpid(), mountPoint: mountPoint, socketPath: profile.socketPath)
            let text = try JSONEncoder().encode(holder)
            try file.setSize(0)
            try file.write([UInt8](text), at: 0)
            return ProfileLock(file)
        } catch let failure as ClientFailure {
            throw failure
        } catch {
            throw ClientFailure(
                .failed, "Cannot lock \(profile.lockFile): \(error)",
                remedy: "Make the directory writable and check that its disk is not full.")
        }
    }

    /// The daemon (or command) that holds the profile now; nil when nobody does.
    package static func holder(of profile: Profile) -> Holder? {
        guard let file = try? OpenFile(path: profile.lockFile, .readOnly), let free = try? file.tryLock() else {
            return answering(profile)
        }
        if free { return nil }
        guard let size = try? file.size(), let text = try? file.read(count: Int(clamping: min(size, 65_536)), at: 0)
        else { return answering(profile) }
        return try? JSONDecoder().decode(Holder.self, from: Data(text))
    }

    /// A daemon still answers whose lock file was deleted with the rest of its state, or cannot be read.
    private static func answering(_ profile: Profile) -> Holder? {
        guard let status = try? ControlClient.status(at: profile.socketPath),
            status.dataDirectory == profile.dataDirectory
        else { return nil }
        return Holder(processID: status.processID, mountPoint: status.mountPoint, socketPath: profile.socketPath)
    }

    private static func held(_ profile: Profile) -> ClientFailure {
        guard let mountPoint = holder(of: profile)?.mountPoint else {
            return ClientFailure(
                .busy, "Another dbxfs command uses the profile “\(profile.name)”",
                remedy: "Wait until it has ended, and try again.")
        }
        return ClientFailure(
            .mountPoint, "Profile “\(profile.name)” is already mounted at \(mountPoint)",
            remedy: "Use it there, or run: dbxfs umount \(mountPoint)")
    }
}
