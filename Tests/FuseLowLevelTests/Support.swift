import FuseLowLevel
import Glibc
import Synchronization

/// A mount of a `MemoryFileSystem` in a fresh directory, gone when `body` returns.
func withMount<Result>(
    _ fileSystem: MemoryFileSystem, options: FuseMountOptions = FuseMountOptions(),
    _ body: (_ path: String, _ session: FuseSession) throws -> Result
) throws -> Result {
    let path = try temporaryDirectory()
    defer { rmdir(path) }
    let session = try FuseSession.mount(fileSystem, at: path, options: options)
    defer { session.stop() }
    return try body(path, session)
}

struct Failure: Error, CustomStringConvertible {
    let description: String
}

func temporaryDirectory() throws -> String {
    var template = Array("/tmp/fuse-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Failure(description: "mkdtemp: \(errno)") }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// A file's bytes; nil when it cannot be opened or read.
func contents(_ path: String) -> [UInt8]? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = read(file, &chunk, chunk.count)
        if count < 0 { return nil }
        if count == 0 { return bytes }
        bytes += chunk[..<count]
    }
}

func put(_ bytes: [UInt8], at path: String) -> Bool {
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else { return false }
    defer { close(file) }
    return write(file, bytes, bytes.count) == bytes.count
}

func attributes(_ path: String) -> stat? {
    var value = stat()
    return lstat(path, &value) == 0 ? value : nil
}

func names(in path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        names.append(
            withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            })
    }
    return names
}

/// Runs `body` on a thread of its own, so that a blocked system call holds up no test.
func onNewThread(_ body: @escaping @Sendable () -> Void) {
    final class Box {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    pthread_create(
        &thread, nil,
        { argument in
            Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue().body()
            return nil
        }, Unmanaged.passRetained(Box(body)).toOpaque())
    pthread_detach(thread)
}

/// A value that another thread brings.
final class Promise<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)

    func fulfil(_ new: Value) { value.withLock { $0 = new } }

    func getNow() -> Value? { value.withLock { $0 } }

    /// Nil after ten seconds.
    func get() -> Value? {
        var found: Value?
        _ = eventually {
            found = value.withLock { $0 }
            return found != nil
        }
        return found
    }
}

/// Whether `condition` comes true within ten seconds.
func eventually(_ condition: () -> Bool) -> Bool {
    for _ in 0..<5000 {
        if condition() { return true }
        usleep(2000)
    }
    return false
}

/// Runs a program and returns its process id. It gets no signal mask of ours: Swift's threads block all signals.
func spawn(_ words: [String]) -> pid_t {
    var child = pid_t()
    let arguments = words.map { strdup($0) } + [nil]
    defer { arguments.forEach { free($0) } }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    return posix_spawn(&child, words[0], nil, &attributes, arguments, environ) == 0 ? child : -1
}

/// How many of this process's notifier threads wait uninterruptibly in the kernel.
func notifyingThreadsInKernel() -> Int {
    names(in: "/proc/self/task").filter { thread in
        guard let stat = contents("/proc/self/task/\(thread)/stat") else { return false }
        return String(decoding: stat, as: UTF8.self).contains("(fuse-notify) D")
    }.count
}
