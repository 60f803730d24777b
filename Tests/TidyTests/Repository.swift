import Foundation

/// The files of this repository, without what builds leave behind.
struct Repository {
    struct File {
        /// Relative to the root.
        var path: String
        var text: String

        var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
        /// The module of a file under Sources.
        var module: String { path.split(separator: "/").dropFirst().first.map(String.init) ?? "" }
    }

    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    /// Text files below `directory`, by path.
    static func files(in directory: String = "", ending suffixes: [String]) -> [File] {
        let start = root + (directory.isEmpty ? "" : "/" + directory)
        guard let walk = FileManager.default.enumerator(atPath: start) else { return [] }
        var files: [File] = []
        while let name = walk.nextObject() as? String {
            let last = (name as NSString).lastPathComponent
            if last == ".build" || last == ".git" || last == ".swiftpm" {
                walk.skipDescendants()
            } else if suffixes.contains(where: { name.hasSuffix($0) }),
                let text = try? String(contentsOfFile: start + "/" + name, encoding: .utf8)
            {
                files.append(File(path: directory.isEmpty ? name : directory + "/" + name, text: text))
            }
        }
        return files.sorted { $0.path < $1.path }
    }

    static func text(_ path: String) -> String? {
        try? String(contentsOfFile: root + "/" + path, encoding: .utf8)
    }

    static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: root + "/" + path) }

    static let swift = files(ending: [".swift"])
    static let sources = swift.filter { $0.path.hasPrefix("Sources/") }
    static let documents = files(ending: [".md"])

    /// `Sources/X/Y.swift:12: text` of every line in which the expression matches.
    static func hits(_ expression: Regex<AnyRegexOutput>, in files: [File]) -> [String] {
        files.flatMap { file in
            file.lines.enumerated().compactMap { number, line in
                line.contains(expression) ? "\(file.path):\(number + 1): \(line)" : nil
            }
        }
    }
}
