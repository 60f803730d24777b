import Foundation

/// stat of files that the kernel has seen: what editors, make and git status do all day.
struct StatWorkload: Workload {
    let name = "stat"

    func run(in directory: String, _ effort: Effort, _ stage: Stage) throws -> [Figure] {
        let paths = (0..<256).map { "\(directory)/file\($0)" }
        for path in paths { try File.write([], to: path) }
        var value = Glibc.stat()
        for path in paths { try File.check(lstat(path, &value), "stat", path) }
        let measured = try rate(seconds: effort.seconds) { index in
            let path = paths[index & 255]
            try File.check(lstat(path, &value), "stat", path)
        }
        return [Figure(name: "stat of known files", unit: .operations, value: measured.perSecond)]
    }
}

/// Empty files in one directory: created, renamed, removed.
struct NamesWorkload: Workload {
    let name = "names"

    func run(in directory: String, _ effort: Effort, _ stage: Stage) throws -> [Figure] {
        let old = (0..<effort.files).map { "\(directory)/file\($0)" }
        let new = (0..<effort.files).map { "\(directory)/renamed\($0)" }
        let created = try rate(seconds: effort.seconds, limit: effort.files) { index in
            close(try File.open(old[index], O_WRONLY | O_CREAT | O_EXCL))
        }
        let renamed = try rate(seconds: .infinity, limit: created.count) { index in
            try File.check(rename(old[index], new[index]), "rename", old[index])
        }
        let removed = try rate(seconds: .infinity, limit: created.count) { index in
            try File.check(unlink(new[index]), "unlink", new[index])
        }
        return [
            Figure(name: "create empty files", unit: .operations, value: created.perSecond),
            Figure(name: "rename", unit: .operations, value: renamed.perSecond),
            Figure(name: "unlink", unit: .operations, value: removed.perSecond),
        ]
    }
}

/// `ls -l` of a directory of 10,000 entries, cold in the kernel where a process can make it so, then warm.
struct ListingWorkload: Workload {
    let name = "listing"

    func run(in directory: String, _ effort: Effort, _ stage: Stage) throws -> [Figure] {
        let count = effort.rounds == 1 ? 2000 : 10_000
        for index in 0..<count { close(try File.open("\(directory)/file\(index)", O_WRONLY | O_CREAT)) }
        let first = try time { try list(directory, expecting: count) }
        let warm = try time { try list(directory, expecting: count) }
        return [
            Figure(name: "ls -l, first", unit: .operations, value: Double(count) / first),
            Figure(name: "ls -l, warm", unit: .operations, value: Double(count) / warm),
        ]
    }

    private func list(_ path: String, expecting count: Int) throws {
        guard let directory = opendir(path) else { throw File.error("opendir", path) }
        defer { closedir(directory) }
        var value = Glibc.stat()
        var found = 0
        while let entry = readdir(directory) {
            let result = withUnsafePointer(to: &entry.pointee.d_name) { name in
                name.withMemoryRebound(to: CChar.self, capacity: 256) { name in
                    name[0] == 0x2E ? 1 : fstatat(dirfd(directory), name, &value, AT_SYMLINK_NOFOLLOW)
                }
            }
            guard result >= 0 else { throw File.error("stat in", path) }
            if result == 0 { found += 1 }
        }
        guard found == count else { throw Failure("\(path) lists \(found) of \(count) entries") }
    }
}
