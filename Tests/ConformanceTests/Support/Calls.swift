import CTestShims
import Glibc
import Testing

/// A system call's failure.
struct CallError: Error, Equatable, CustomStringConvertible {
    let code: Int32
    var description: String { String(cString: strerror(code)) }
}

/// The result of a system call, or its error.
@discardableResult
func succeed<Result: SignedInteger>(_ result: Result) throws -> Result {
    if result < 0 { throw CallError(code: errno) }
    return result
}

/// The call fails with exactly this error.
func expect(_ code: Int32, sourceLocation: SourceLocation = #_sourceLocation, _ call: () throws -> Void) {
    #expect(throws: CallError(code: code), sourceLocation: sourceLocation) { try call() }
}

func status(_ path: String) throws -> stat {
    var value = stat()
    try succeed(lstat(path, &value))
    return value
}

extension stat {
    var permissions: mode_t { st_mode & 0o7777 }
    var type: mode_t { st_mode & S_IFMT }
    var accessed: Int64 { Int64(st_atim.tv_sec) * 1_000_000_000 + Int64(st_atim.tv_nsec) }
    var modified: Int64 { Int64(st_mtim.tv_sec) * 1_000_000_000 + Int64(st_mtim.tv_nsec) }
    var changed: Int64 { Int64(st_ctim.tv_sec) * 1_000_000_000 + Int64(st_ctim.tv_nsec) }
}

/// An open file; closed with the object.
final class File {
    let descriptor: Int32

    init(_ path: String, _ flags: Int32 = O_RDWR | O_CREAT, mode: mode_t = 0o644) throws {
        descriptor = try succeed(open(path, flags | O_CLOEXEC, mode))
    }

    deinit { close(descriptor) }

    /// Keeps the descriptor open up to here, where only its number is used.
    func stay() { withExtendedLifetime(self) {} }

    @discardableResult
    func write(_ text: String, at offset: Int = 0) throws -> Int {
        try succeed(pwrite(descriptor, text, text.utf8.count, off_t(offset)))
    }

    func append(_ text: String) throws { try succeed(Glibc.write(descriptor, text, text.utf8.count)) }

    func bytes(_ range: Range<Int>) throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: range.count)
        let count = try succeed(pread(descriptor, &buffer, buffer.count, off_t(range.lowerBound)))
        return Array(buffer[..<count])
    }

    func text(_ range: Range<Int>) throws -> String { String(decoding: try bytes(range), as: UTF8.self) }

    func status() throws -> stat {
        var value = stat()
        try succeed(fstat(descriptor, &value))
        return value
    }

    func truncate(to size: Int) throws { try succeed(ftruncate(descriptor, off_t(size))) }

    func allocate(_ mode: Int32, _ range: Range<Int>) throws {
        try succeed(dbxfs_test_fallocate(descriptor, mode, range.lowerBound, range.count))
    }

    func seek(_ target: some BinaryInteger, from offset: Int) throws -> Int {
        Int(try succeed(lseek(descriptor, off_t(offset), Int32(target))))
    }

    func setTimes(_ seconds: Int) throws {
        let time = timespec(tv_sec: seconds, tv_nsec: 1)
        try succeed(futimens(descriptor, [time, time]))
    }
}

/// Makes a file with this content.
func put(_ text: String, at path: String, mode: mode_t = 0o644) throws {
    let file = try File(path, O_WRONLY | O_CREAT | O_TRUNC, mode: mode)
    try succeed(fchmod(file.descriptor, mode))
    try file.append(text)
}

func content(_ path: String) throws -> String { try File(path, O_RDONLY).text(0..<65_536) }

func move(_ path: String, to target: String, flags: UInt32 = 0) throws {
    try succeed(dbxfs_test_rename(path, target, flags))
}

func names(in path: String) throws -> [String] {
    guard let directory = opendir(path) else { throw CallError(code: errno) }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) { names.append(name(of: entry)) }
    return names.filter { $0 != "." && $0 != ".." }.sorted()
}

func name(of entry: UnsafeMutablePointer<dirent>) -> String {
    withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
}
