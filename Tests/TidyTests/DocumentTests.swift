import DbxTestKit
import Testing

/// Documents and scripts point at what exists.
@Suite struct DocumentTests {
    @Test func `every link in a document leads somewhere`() throws {
        let link = try Regex(#"\]\(([^)\s]+)\)"#)
        for document in Repository.documents {
            let folder = document.path.split(separator: "/").dropLast().joined(separator: "/")
            for match in document.text.matches(of: link) {
                let target = String(match.output[1].substring ?? "")
                guard !target.contains("://"), !target.hasPrefix("#"), !target.hasPrefix("mailto:") else { continue }
                let path = String(target.prefix { $0 != "#" })
                #expect(Repository.exists(folder.isEmpty ? path : "\(folder)/\(path)"), "\(document.path): \(target)")
            }
        }
    }

    @Test func `every document that code or prose names exists`() throws {
        let name = try Regex(#"\bdocs/[A-Z][A-Za-z0-9/-]*\.md"#)
        for file in Repository.swift + Repository.documents {
            let paths = Set(file.text.matches(of: name).compactMap { $0.output[0].substring.map(String.init) })
            for path in paths { #expect(Repository.exists(path), "\(file.path) names \(path)") }
        }
    }

    @Test func `every script that a document names exists`() throws {
        let name = try Regex(#"\bscripts/([a-z-]+)"#)
        for document in Repository.documents {
            for match in document.text.matches(of: name) {
                let path = String(match.output[0].substring ?? "")
                #expect(Repository.exists(path), "\(document.path) names \(path)")
            }
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func `every script stops at its first failure and prints its usage`() throws {
        let names = ["quickstart", "test", "check", "format", "package", "install-service", "torture"]
        let scripts = names.map { "scripts/" + $0 }
        for script in scripts + [".ci/run"] {
            let text = try #require(Repository.text(script), "\(script) is missing")
            #expect(text.hasPrefix("#!/usr/bin/env bash\n"), "\(script)")
            #expect(text.contains("\nset -euo pipefail\n"), "\(script)")
            let output = try Shell.run(["bash", script, "--help"], in: Repository.root, limitSeconds: 20)
            #expect(output.code == 0 && output.text.hasPrefix("usage: "), "\(script): \(output.text)")
        }
    }
}
