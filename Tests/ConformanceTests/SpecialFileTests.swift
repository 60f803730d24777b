import Glibc
import Testing

extension ConformanceTests {
    @Suite struct SpecialFileTests {
        @Test func `a fifo joins two programs`() throws {
            let path = try makeDirectory() + "/fifo"
            try succeed(mkfifo(path, 0o640))
            #expect(try status(path).st_mode == S_IFIFO | 0o640)
            let texts = try onThreads(
                {
                    let reader = try File(path, O_RDONLY)
                    defer { reader.stay() }
                    var byte = [UInt8](repeating: 0, count: 8)
                    return Array(byte[..<(try succeed(read(reader.descriptor, &byte, 8)))])
                },
                {
                    try File(path, O_WRONLY).append("hello")
                    return Array("hello".utf8)
                })
            #expect(texts[0] == texts[1])
        }

        @Test func `a socket is bound to a name and can be reached by it`() throws {
            let directory = try File(try makeDirectory(), O_RDONLY | O_DIRECTORY)
            defer { directory.stay() }
            // The address has 108 bytes: by way of the directory it fits however long the path is.
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) {
                $0.copyBytes(from: "/proc/self/fd/\(directory.descriptor)/s".utf8)
            }
            func onAddress(_ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32) throws {
                let length = socklen_t(MemoryLayout<sockaddr_un>.size)
                try succeed(
                    withUnsafePointer(to: &address) {
                        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { call($0, length) }
                    })
            }
            let listener = try succeed(socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0))
            let client = try succeed(socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0))
            defer {
                close(listener)
                close(client)
            }
            try onAddress { bind(listener, $0, $1) }
            try succeed(listen(listener, 1))
            try onAddress { connect(client, $0, $1) }
            expect(EADDRINUSE) { try onAddress { bind(client, $0, $1) } }
        }

        @Test(.root, arguments: [S_IFCHR, S_IFBLK])
        func `a device keeps its numbers`(type: mode_t) throws {
            let path = try makeDirectory() + "/device"
            let number: dev_t = 0x1111_2C70  // major 300, minor 70000
            try succeed(mknod(path, type | 0o600, number))
            #expect(try status(path).st_mode == type | 0o600 && status(path).st_rdev == number)
        }
    }
}
