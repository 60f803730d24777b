import Foundation

/// Files of 4 KiB: written (create, write, close), then read as the kernel has them.
struct SmallFilesWorkload: Workload {
    let name = "small-files"

    func run(in directory: String, _ effort: Effort, _ stage: Stage) throws -> [Figure] {
        var random = Random(seed: 11)
        let content = random.bytes(4096)
        let paths = (0..<effort.files).map { "\(directory)/file\($0)" }
        let written = try rate(seconds: effort.seconds, limit: effort.files) { try File.write(content, to: paths[$0]) }
        var buffer = [UInt8](repeating: 0, count: 8192)
        let readBack = try rate(seconds: effort.seconds, limit: written.count) { index in
            let file = try File.open(paths[index], O_RDONLY)
            defer { close(file) }
            guard read(file, &buffer, buffer.count) == content.count else { throw File.error("read", paths[index]) }
        }
        return [
            Figure(name: "4 KiB files written", unit: .operations, value: written.perSecond),
            Figure(name: "4 KiB files read, warm", unit: .operations, value: readBack.perSecond),
        ]
    }
}

/// git clone of a repository of small files on the local disk, then git status with everything warm.
struct GitWorkload: Workload {
    let name = "git"

    func run(in directory: String, _ effort: Effort, _ stage: Stage) throws -> [Figure] {
        let source = try stage.repository(files: effort.repositoryFiles)
        let cloned = try time {
            try Repository.git(["clone", "-q", "--no-hardlinks", source, "clone"], in: directory)
        }
        try Repository.git(["status", "--short"], in: directory + "/clone")
        let status = try time { try Repository.git(["status", "--short"], in: directory + "/clone") }
        return [
            Figure(name: "git clone, \(effort.repositoryFiles) files", unit: .seconds, value: cloned),
            Figure(name: "git status, warm", unit: .seconds, value: status),
        ]
    }
}
