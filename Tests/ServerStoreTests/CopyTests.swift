import DbxSystem
import DbxTestKit
import Foundation
import Testing

@Suite("A copied file")
struct CopyTests {
    private let directory = TemporaryDirectory()
    private var source: String { directory.path + "/source" }
    private var target: String { directory.path + "/target" }

    private func write(_ text: String, to path: String) throws { try Data(text.utf8).write(to: URL(filePath: path)) }

    private func text(of path: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
    }

    @Test("has its name when it is whole, whatever an earlier try has left")
    func whole() throws {
        try write("all of it", to: source)
        try write("a part that is longer than all of it", to: target + ".new")
        try Paths.copy(source, to: target)
        #expect(try text(of: target) == "all of it")
        #expect(try Paths.names(in: directory.path) == ["source", "target"])
    }

    @Test("takes nobody's place")
    func taken() throws {
        try write("new", to: source)
        try write("old", to: target)
        #expect(throws: Errno.fileExists) { try Paths.copy(source, to: target) }
        #expect(try text(of: target) == "old")
    }

    @Test("that cannot be made whole is not there")
    func failing() throws {
        #expect(throws: Errno.isDirectory) { try Paths.copy(directory.path, to: target) }
        #expect(try Paths.names(in: directory.path).isEmpty)
    }
}
