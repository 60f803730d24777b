import Testing

/// The style rules that a program can check (CONTRIBUTING.md).
@Suite struct SourceTests {
    @Test func `nothing is public: the modules are one program`() throws {
        let hits = Repository.hits(
            try Regex(#"^\s*(@\w+\s+)*(public|open (class|func|var|subscript))\s"#), in: Repository.swift)
        #expect(hits.isEmpty, "\(hits)")
    }

    @Test func `no work is left as a note in the code`() throws {
        let words = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]
        let files = Repository.files(ending: [".swift", ".h", ".md", ".sh", ".service"])
        let hits = Repository.hits(
            try Regex(#"\b(\#(words.joined(separator: "|")))\b"#), in: files)
        #expect(hits.isEmpty, "\(hits)")
    }

    @Test func `no file is longer than 600 lines`() {
        let long = Repository.swift.filter { $0.lines.count > 600 }.map(\.path)
        #expect(long.isEmpty, "\(long)")
    }

    @Test func `the product neither forces nor blocks where it must not`() throws {
        let hits = Repository.hits(
            try Regex(#"\btry!|\bas!|\bDispatchSemaphore\b|\bfork\(\)"#), in: Repository.sources)
        #expect(hits.filter { !$0.contains("//") }.isEmpty, "\(hits)")
    }

    /// See `Listener`.
    @Test func `no closure stands behind a lock by itself`() throws {
        let hits = Repository.hits(try Regex(#"\b(Mutex|Monitor)(<|\()\(*@Sendable"#), in: Repository.sources)
        #expect(hits.isEmpty, "\(hits)")
    }

    /// swift-format 6.3 joins the two words of `for unsafe x`; the result no longer compiles as meant.
    @Test func `the formatter has mangled no loop`() throws {
        let hits = Repository.hits(try Regex(#"\bfor unsafe[a-z]"#), in: Repository.sources)
        #expect(hits.isEmpty, "\(hits)")
    }

    @Test func `no path of a developer's machine is in the repository`() throws {
        let places = ["/wo" + "rk/", "/home/[a-z]+/", "/bui" + "ld/\\.build"]
        let files = Repository.files(ending: [".swift", ".h", ".md", ".sh", ".service", ".json"])
        let hits = Repository.hits(try Regex("(\(places.joined(separator: "|")))"), in: files)
            .filter { !$0.hasPrefix("Package.resolved") }
        #expect(hits.isEmpty, "\(hits)")
    }

    @Test func `tests have names that are sentences`() throws {
        let hits = Repository.hits(
            try Regex(#"^\s*(@Test.*)?func test[A-Z_]"#),
            in: Repository.swift.filter { $0.path.hasPrefix("Tests/") })
        #expect(hits.isEmpty, "\(hits)")
    }

    @Test func `no placeholder is left`() {
        let left = Repository.swift.map(\.path).filter { $0.hasSuffix("/Placeholder.swift") }
        #expect(left.isEmpty, "\(left)")
    }
}
