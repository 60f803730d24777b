import CTestShims
import DbxTestKit
import Glibc
import Testing

extension ConformanceTests {
    @Suite struct LockTests {
        @Test func `flock locks exclude each other until they are given back or closed`() throws {
            let path = try makeDirectory() + "/f"
            let one = try File(path)
            var two: File? = try File(path)
            try succeed(flock(one.descriptor, LOCK_SH))
            try succeed(flock(two!.descriptor, LOCK_SH))
            expect(EWOULDBLOCK) { try succeed(flock(one.descriptor, LOCK_EX | LOCK_NB)) }
            two = nil
            try succeed(flock(one.descriptor, LOCK_EX | LOCK_NB))
            let three = try File(path)
            expect(EWOULDBLOCK) { try succeed(flock(three.descriptor, LOCK_SH | LOCK_NB)) }
            one.stay()
            three.stay()
        }

        @Test func `locks of open file descriptions hold by range`() throws {
            let path = try makeDirectory() + "/f"
            let (one, two) = (try File(path), try File(path))
            let command = Int32(dbxfs_test_ofd_setlk)
            func lock(_ file: File, _ type: Int32, _ range: Range<Int>) throws {
                try succeed(
                    dbxfs_test_lock(file.descriptor, command, Int16(type), range.lowerBound, range.count))
            }
            try lock(one, F_WRLCK, 0..<10)
            expect(EAGAIN) { try lock(two, F_RDLCK, 5..<20) }
            try lock(two, F_WRLCK, 10..<20)
            try lock(one, F_UNLCK, 0..<10)
            try lock(two, F_RDLCK, 0..<10)
        }

        @Test func `fcntl locks hold against other processes, and wait for them`() throws {
            let path = try makeDirectory() + "/f"
            let file = try File(path)
            try succeed(dbxfs_test_lock(file.descriptor, F_SETLK, Int16(F_WRLCK), 0, 10))
            let code = """
                import fcntl, sys
                f = open(sys.argv[1], "r+")
                fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 10)
                try: fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 9)
                except BlockingIOError: print("held")
                """
            defer { file.stay() }
            #expect(try Shell.run(["python3", "-c", code, path]).text == "held\n")
        }
    }
}
