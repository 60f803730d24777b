import Foundation

/// What the command line says.
struct Options {
    var isQuick = false
    var printsJSON = false
    var only: Set<String> = []
    var workloads: Set<String> = []
    var directory = "/var/tmp"
    var programs = "../.build/release"
    var nullFS: String?
    var entries: Int?

    static let usage = """
        usage: dbxbench [--quick] [--json] [--only SUBJECTS] [--workloads NAMES] [--dir DIR] [--programs DIR] [--null PATH]
                        [--entries N]

        Runs the same work on a dbxfs mount (with a server on loopback), on the null FUSE file system and on the
        local directory, interleaved in one run, and prints rates and ratios. Progress goes to standard error.

          --quick            at most a minute instead of five
          --json             print JSON instead of the table
          --only SUBJECTS    of dbxfs,null,local (default: these) and rsync,restic,rclone, which do the workloads \(PeerPair.workloads.joined(separator: " and "))
          --workloads NAMES  of \(Workloads.all.map(\.name).joined(separator: ",")),\(DbxFigures.names.joined(separator: ","))
          --dir DIR          where to work; its file system is 'local' (default: /var/tmp)
          --programs DIR     where dbxfs and dbxfs-server are (default: ../.build/release)
          --null PATH        the null-fs program (default: beside this one)
          --entries N        how large a tree the workload "tree" makes (default: 20000, with --quick 4000)
        """

    init(_ arguments: [String]) throws {
        var rest = arguments[...]
        func value(of option: String) throws -> String {
            guard let value = rest.popFirst() else { throw Failure("\(option) needs a value") }
            return value
        }
        func list(of option: String) throws -> Set<String> {
            Set(try value(of: option).split(separator: ",").map(String.init))
        }
        while let word = rest.popFirst() {
            switch word {
            case "--quick": isQuick = true
            case "--json": printsJSON = true
            case "--only": only = try list(of: word)
            case "--workloads": workloads = try list(of: word)
            case "--dir": directory = try value(of: word)
            case "--programs": programs = try value(of: word)
            case "--null": nullFS = try value(of: word)
            case "--entries":
                guard let number = Int(try value(of: word)), number > 0 else { throw Failure("--entries needs a number") }
                entries = number
            case "--help", "-h":
                print(Self.usage)
                exit(0)
            default: throw Failure("unknown option \(word)\n\(Self.usage)")
            }
        }
        try check(only, within: Set(["dbxfs", "null", "local"] + PeerPair.Program.allCases.map(\.rawValue)))
        try check(workloads, within: Set(Workloads.all.map(\.name) + DbxFigures.names))
    }

    private func check(_ names: Set<String>, within known: Set<String>) throws {
        let unknown = names.subtracting(known)
        guard unknown.isEmpty else {
            throw Failure("unknown: \(unknown.sorted().joined(separator: ", "))\n\(Self.usage)")
        }
    }

    func wants(subject: String) -> Bool { only.isEmpty || only.contains(subject) }
    func wants(workload: String) -> Bool { workloads.isEmpty || workloads.contains(workload) }

    /// How much is done of everything.
    var effort: Effort {
        isQuick
            ? Effort(
                rounds: 1, seconds: 0.4, files: 500, fileBytes: 64 << 20, repositoryFiles: 300,
                entries: entries ?? 4000, limitSeconds: 60)
            : Effort(
                rounds: 3, seconds: 1, files: 3000, fileBytes: 256 << 20, repositoryFiles: 2000,
                entries: entries ?? 20_000, limitSeconds: 300)
    }
}

/// How much is done of everything.
struct Effort {
    /// How often each workload runs on each subject; the best counts.
    var rounds: Int
    /// How long a loop runs.
    var seconds: Double
    /// How many files a workload makes at most.
    var files: Int
    var fileBytes: Int
    var repositoryFiles: Int
    /// Of a large tree.
    var entries: Int
    /// No workload begins after this, from the start of the run.
    var limitSeconds: Double
}

/// What went wrong, for people.
struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
