import Foundation

/// A big file in steps of 1 MiB: written new, written again over itself, read from the page cache.
struct SequentialWorkload: Workload {
    let name = "sequential"

    func run(in directory: String, _ effort: Effort, _ stage: Stage) throws -> [Figure] {
        let path = directory + "/big"
        var random = Random(seed: 13)
        var chunk = random.bytes(1 << 20)
        let chunks = effort.fileBytes / chunk.count
        func pass(_ body: (Int32) throws -> Int, _ flags: Int32) throws -> Double {
            let file = try File.open(path, flags)
            let seconds = try time {
                for _ in 0..<chunks {
                    guard try body(file) == 1 << 20 else { throw File.error("transfer", path) }
                }
                try File.check(close(file), "close", path)
            }
            return Double(effort.fileBytes) / seconds / 1e6
        }
        let written = try pass({ write($0, chunk, chunk.count) }, O_WRONLY | O_CREAT | O_TRUNC)
        let overwritten = try pass({ write($0, chunk, chunk.count) }, O_WRONLY)
        _ = try pass({ read($0, &chunk, chunk.count) }, O_RDONLY)
        let readBack = try pass({ read($0, &chunk, chunk.count) }, O_RDONLY)
        return [
            Figure(name: "write 1 MiB, new file", unit: .megabytes, value: written),
            Figure(name: "write 1 MiB, over", unit: .megabytes, value: overwritten),
            Figure(name: "read 1 MiB, page cache", unit: .megabytes, value: readBack),
        ]
    }
}

/// 4 KiB at random places of a file: from the page cache, then past it (O_DIRECT: on the mounts each is a request,
/// answered from what the daemon has on disk; on the local disk each is a read of the disk).
struct RandomReadWorkload: Workload {
    let name = "random-read"

    func run(in directory: String, _ effort: Effort, _ stage: Stage) throws -> [Figure] {
        let path = directory + "/random"
        let pages = effort.fileBytes / 4096
        var random = Random(seed: 17)
        try fill(path, &random, effort.fileBytes)
        let buffer = UnsafeMutableRawPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { buffer.deallocate() }
        func measure(_ file: Int32) throws -> Double {
            try rate(seconds: effort.seconds) { _ in
                let offset = off_t(random.next() % UInt64(pages)) * 4096
                guard pread(file, buffer, 4096, offset) == 4096 else { throw File.error("pread", path) }
            }.perSecond
        }
        let cached = try File.open(path, O_RDONLY)
        defer { close(cached) }
        for offset in stride(from: 0, to: effort.fileBytes, by: 1 << 20) {
            guard pread(cached, buffer, 1 << 20, off_t(offset)) == 1 << 20 else { throw File.error("pread", path) }
        }
        let warm = try measure(cached)
        let direct = try File.open(path, O_RDONLY | 0o40000 /* O_DIRECT, which Glibc does not import */)
        defer { close(direct) }
        return [
            Figure(name: "random 4 KiB read, page cache", unit: .operations, value: warm),
            Figure(name: "random 4 KiB read, O_DIRECT", unit: .operations, value: try measure(direct)),
        ]
    }

    private func fill(_ path: String, _ random: inout Random, _ count: Int) throws {
        let file = try File.open(path, O_WRONLY | O_CREAT | O_TRUNC)
        defer { close(file) }
        let chunk = random.bytes(1 << 20)
        for _ in 0..<(count >> 20) {
            guard write(file, chunk, chunk.count) == chunk.count else { throw File.error("write", path) }
        }
        try File.check(fsync(file), "fsync", path)
    }
}
