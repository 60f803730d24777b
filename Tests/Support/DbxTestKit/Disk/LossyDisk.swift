import CTestShims
import Foundation
import Glibc

/// A directory on a disk that writes down every change and every sync (`Tests/Support/lossy-disk`), mounted until the
/// object goes. Programs and the store under test work in `path`; from `trace` a `SimulatedDisk` tells what a power cut
/// could have left. Used by one test at a time.
package final class LossyDisk {
    /// Where the disk is mounted.
    package let path: String
    private let directory: TemporaryDirectory
    private let process: Process
    private let traceFile: Int32

    private var tracePath: String { directory.path + "/trace" }

    /// A disk that holds what `contents` does; empty without.
    package init(_ contents: SimulatedDisk? = nil) throws {
        directory = TemporaryDirectory(inMemory: true)
        path = directory.path + "/disk"
        let backing = directory.path + "/backing"
        for each in [path, backing] {
            try FileManager.default.createDirectory(atPath: each, withIntermediateDirectories: true)
        }
        try contents?.write(to: backing)
        process = Process()
        process.executableURL = URL(fileURLWithPath: ServerProcess.productsDirectory + "/lossy-disk")
        process.arguments = [backing, directory.path + "/trace", path, "-o", "fsname=lossy-disk"]
        process.standardOutput = FileHandle.nullDevice
        // Who waits for the tests' own output to end does not wait for the disk of a test that crashed.
        process.standardError = FileHandle.nullDevice
        try process.run()
        var (before, after) = (stat(), stat())
        stat(directory.path, &before)
        let process = process
        let path = path
        try Shell.eventually("the simulated disk is mounted") {
            guard process.isRunning else { throw Shell.Failure(description: "lossy-disk has ended") }
            return stat(path, &after) == 0 && after.st_dev != before.st_dev
        }
        traceFile = open(directory.path + "/trace", O_RDONLY | O_CLOEXEC)
    }

    deinit {
        close(traceFile)
        umount2(path, Int32(MNT_DETACH))
        // The thread that started it may have had its other signals blocked.
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
    }

    /// How far the trace goes: everything that has returned lies before it.
    package var position: Int {
        var status = stat()
        return fstat(traceFile, &status) == 0 ? Int(status.st_size) : 0
    }

    /// What has been done to the disk so far.
    package func trace() throws -> [DiskOperation] {
        try DiskOperation.decode([UInt8](Data(contentsOf: URL(filePath: tracePath))))
    }

    /// How the disk fails from now on, once `bytes` more have been written.
    package enum Fault: String, Sendable {
        case none
        case noSpace = "ENOSPC"
        case ioError = "EIO"
        case readOnly = "EROFS"
    }

    package func fail(_ fault: Fault, afterBytes bytes: Int = 0) throws {
        let text = Array("\(fault.rawValue) \(bytes)".utf8)
        guard setxattr(path, "user.fault", text, text.count, 0) == 0 else {
            throw Shell.Failure(description: "the disk's fault cannot be set: errno \(errno)")
        }
    }
}
