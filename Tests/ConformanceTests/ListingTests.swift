import Glibc
import Testing

extension ConformanceTests {
    @Suite(.timeLimit(.minutes(2))) struct ListingTests {
        @Test func `a listing shows every name that is there all the while once, whatever comes and goes`() throws {
            let path = try makeDirectory()
            let kept = (0..<1_000).map { "kept\($0)" }
            for name in kept { try put("", at: path + "/" + name) }
            let isDone = Flag()
            try onThreads(
                {
                    defer { isDone.raise() }
                    for _ in 0..<10 {
                        let found = try names(in: path)
                        #expect(found.filter { $0.hasPrefix("kept") } == kept.sorted())
                        #expect(Set(found).count == found.count)
                    }
                },
                {
                    var index = 0
                    while !isDone.isRaised {
                        index += 1
                        try put("", at: path + "/new\(index)")
                        if index % 2 == 0 { try move(path + "/new\(index)", to: path + "/moved\(index)") }
                        if index > 20 { unlink(path + "/new\(index - 20)") }
                    }
                })
        }

        @Test func `a place in a listing stays what it was while names before it go`() throws {
            let path = try makeDirectory()
            for index in 0..<600 { try put("", at: path + "/\(index)") }
            guard let directory = opendir(path) else { throw CallError(code: errno) }
            defer { closedir(directory) }
            func read(_ count: Int) -> [String] { (0..<count).compactMap { _ in readdir(directory).map(name) } }
            let seen = read(300)
            let place = telldir(directory)
            let next = read(100)
            for name in seen where name != "." && name != ".." { try succeed(unlink(path + "/" + name)) }
            seekdir(directory, place)
            #expect(read(100) == next)
        }

        @Test func `a listing tells kinds and numbers as stat does`() throws {
            let path = try makeDirectory()
            try put("", at: path + "/file")
            try succeed(mkdir(path + "/directory", 0o755))
            try succeed(symlink("x", path + "/symlink"))
            try succeed(mkfifo(path + "/fifo", 0o644))
            guard let directory = opendir(path) else { throw CallError(code: errno) }
            defer { closedir(directory) }
            while let entry = readdir(directory) {
                let found = try status(path + "/" + name(of: entry))
                #expect(found.type >> 12 == UInt32(entry.pointee.d_type), "\(name(of: entry))")
                #expect(found.st_ino == entry.pointee.d_ino || name(of: entry) == "..")
            }
        }
    }
}
