import Testing

/// The module graph is the architecture: what Package.swift declares is what the sources import, and all of it.
@Suite struct ModuleGraphTests {
    /// Target → what it may import, from the declarations `module`, `program` and `systemLibrary` in Package.swift.
    private let declared: [String: Set<String>]
    private let imported: [String: Set<String>]

    init() throws {
        let text = try #require(Repository.text("Package.swift"))
        let declaration = try Regex(#"(?:module|program)\(\s*"([\w-]+)",\s*\[([^\]]*)\]"#)
        let name = try Regex(#""([\w-]+)""#)
        var declared: [String: Set<String>] = [:]
        for match in text.matches(of: declaration) {
            let dependencies = match.output[2].substring ?? ""
            declared[String(match.output[1].substring ?? "")] = Set(
                dependencies.matches(of: name).compactMap { $0.output[1].substring.map(String.init) })
        }
        self.declared = declared
        let statement = try Regex(
            #"(?m)^(?:package |internal |private |fileprivate )?import (?:struct |class |enum |func )?(\w+)"#)
        imported = Dictionary(grouping: Repository.sources) { $0.module }.mapValues { files in
            Set(files.flatMap { $0.text.matches(of: statement) }.compactMap { $0.output[1].substring.map(String.init) })
        }
    }

    /// Ours, and the C modules.
    private func isOwn(_ module: String) -> Bool {
        declared[module] != nil || Repository.exists("Sources/\(module)/module.modulemap")
    }

    @Test func `every module is declared and has sources`() {
        let modules = Set(imported.keys)
        #expect(modules == Set(declared.keys))
    }

    @Test func `every import of a module of ours is a declared dependency`() {
        for (module, imports) in imported {
            let undeclared = imports.filter(isOwn).subtracting(declared[module] ?? [])
            #expect(undeclared.isEmpty, "\(module) imports \(undeclared.sorted())")
        }
    }

    @Test func `no declared dependency of ours goes unused`() {
        for (module, dependencies) in declared {
            let unused = dependencies.filter(isOwn).subtracting(imported[module] ?? [])
            #expect(unused.isEmpty, "\(module) declares \(unused.sorted())")
        }
    }

    @Test func `every C module is imported by exactly one module`() {
        for library in ["CFuse3", "CCurl", "CZstd", "CDbxShims"] {
            let importers = imported.filter { $0.value.contains(library) }.map(\.key)
            #expect(importers.count == 1, "\(library): \(importers.sorted())")
        }
    }

    @Test func `the file system knows no FUSE, sync knows no network, and the two programs share no behaviour`() {
        #expect(imported["DbxFileSystem"]?.contains("FuseLowLevel") == false)
        #expect(imported["DbxSync"]?.isDisjoint(with: ["CurlHTTP", "DbxClientAPI", "DbxTransfer"]) == true)
        let client = ["DbxLocalStore", "DbxSync", "DbxTransfer", "DbxFileSystem", "DbxMount", "DbxClient"]
        for (module, imports) in imported where module.hasPrefix("DbxServer") || module == "dbxfs-server" {
            #expect(imports.isDisjoint(with: client), "\(module)")
        }
    }

    @Test func `docs/ARCHITECTURE.md names every module`() throws {
        let text = try #require(Repository.text("docs/ARCHITECTURE.md"))
        for module in declared.keys { #expect(text.contains("`\(module)`"), "\(module)") }
    }

    @Test func `the programs only parse, wire and run`() {
        for program in ["dbxfs", "dbxfs-server"] {
            for file in Repository.sources where file.module == program {
                #expect(file.lines.count < 300, "\(file.path)")
            }
        }
    }
}
