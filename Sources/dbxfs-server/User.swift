import DbxModel
import ArgumentParser
import DbxServerCore
import DbxServerHTTP

struct User: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Manage accounts.",
        subcommands: [Add.self, List.self, Disable.self, Enable.self, ChangePassword.self, SetQuota.self])

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make an account; its password is asked for.")

        @Argument(help: "The name to log in with.")
        var name: String

        @Flag(help: "Read the password from the first line of standard input.")
        var passwordStdin = false

        @Option(help: "How much it may keep: 10G, 500M; 'none' for no limit. (default: none)")
        var quota: Quota = .none

        @OptionGroup var options: DataOptions

        func run() throws {
            let server = try options.openServer()
            let password = try Password.read(fromStandardInput: passwordStdin, for: name)
            let user = try server.addUser(name: name, password: password, limitBytes: quota.bytes)
            print("Added \(user.name). Log in with: dbxfs login URL --user \(user.name)")
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the accounts.")

        @Flag(help: "As JSON, for programs.")
        var json = false

        @OptionGroup var options: DataOptions

        func run() throws {
            let users = try options.openServer().listUsers()
            if json { return try printJSON(users) }
            print("NAME", "STATE", "DEVICES", "USED", "QUOTA", separator: "\t")
            for user in users {
                print(
                    user.name, user.disabled ? "disabled" : "active", user.devices, ByteCount.format(user.usedBytes),
                    user.limitBytes.map(ByteCount.format) ?? "none", separator: "\t")
            }
        }
    }

    struct Disable: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Refuse an account and its devices, at once.")

        @Argument(help: "The account's name.")
        var name: String

        @OptionGroup var options: DataOptions

        func run() throws {
            try options.openServer().disableUser(name: name)
            print("Disabled \(name). 'dbxfs-server user enable \(name)' takes it back.")
        }
    }

    struct Enable: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Take an account back that was disabled.")

        @Argument(help: "The account's name.")
        var name: String

        @OptionGroup var options: DataOptions

        func run() throws {
            try options.openServer().enableUser(name: name)
            print("Enabled \(name).")
        }
    }

    struct ChangePassword: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "passwd", abstract: "Set a new password.",
            discussion: "Devices stay logged in, unless --revoke-devices says otherwise.")

        @Argument(help: "The account's name.")
        var name: String

        @Flag(help: "Read the password from the first line of standard input.")
        var passwordStdin = false

        @Flag(help: "Log all of the account's devices out.")
        var revokeDevices = false

        @OptionGroup var options: DataOptions

        func run() throws {
            let server = try options.openServer()
            let password = try Password.read(fromStandardInput: passwordStdin, for: name)
            try server.setPassword(name: name, password: password, revokeDevices: revokeDevices)
            print("Changed the password of \(name).")
        }
    }

    struct SetQuota: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "quota", abstract: "Set how much an account may keep.")

        @Argument(help: "The account's name.")
        var name: String

        @Argument(help: "10G, 500M; 'none' for no limit.")
        var quota: Quota

        @OptionGroup var options: DataOptions

        func run() throws {
            try options.openServer().setQuota(name: name, limitBytes: quota.bytes)
            print("\(name) may keep \(quota.bytes.map(ByteCount.format) ?? "any amount").")
        }
    }
}

/// An amount of bytes, or no limit, as an argument.
struct Quota: ExpressibleByArgument {
    let bytes: Int64?

    static let none = Quota(bytes: nil)

    private init(bytes: Int64?) { self.bytes = bytes }

    init?(argument: String) {
        if argument.lowercased() == "none" {
            bytes = nil
        } else if let bytes = ByteCount.parse(argument) {
            self.bytes = bytes
        } else {
            return nil
        }
    }

    var defaultValueDescription: String { bytes.map(ByteCount.format) ?? "none" }
}
