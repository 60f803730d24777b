import ArgumentParser
import DbxClient
import DbxClientAPI
import DbxModel
import DbxWire

struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "List a directory on the server, without a mount.")

    @Argument(help: "A path from the root of the account.")
    var path = "/"

    @Flag(name: .short, help: "With kind, permissions, size and time.")
    var long = false

    @Flag(name: [.customShort("R"), .long], help: "With everything below.")
    var recursive = false

    @Flag(help: "As JSON, one object per line.")
    var json = false

    @OptionGroup var profile: ProfileOption

    struct Line: Encodable {
        var path: String
        /// Base64, where the path is no UTF-8.
        var path64: Base64?
        var kind: NodeKind
        var mode: UInt16
        var size: Int64
        var modified: Int64
    }

    func run() throws {
        let listing = try RemoteListing(profile: try profile.profile)
        var failure: (any Error)?
        try listing.list(path, recursive: recursive) { item in
            do { try show(item) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    private func show(_ item: RemoteListing.Item) throws {
        let bytes = Array(item.path.map(\.bytes).joined(separator: [0x2F]))
        let node = item.node
        if json {
            let text = String(validating: bytes, as: UTF8.self)
            let line = Line(
                path: text ?? Output.escaped(bytes), path64: text == nil ? Base64(bytes) : nil, kind: node.kind,
                mode: node.attributes.mode, size: node.size, modified: node.attributes.mtime.nanoseconds)
            Output.line(String(decoding: try WireJSON.encode(line), as: UTF8.self))
        } else if long {
            let size = "\(node.size)"
            let padding = String(repeating: " ", count: max(0, 12 - size.count))
            let mode = String(node.attributes.mode, radix: 8)
            Output.line(
                "\(letter(node.kind)) \(mode) \(padding)\(size) \(Output.date(node.attributes.mtime))  "
                    + Output.escaped(bytes))
        } else {
            Output.line(Output.escaped(bytes) + (node.kind == .directory ? "/" : ""))
        }
    }

    private func letter(_ kind: NodeKind) -> String {
        switch kind {
        case .file: "-"
        case .directory: "d"
        case .symlink: "l"
        case .fifo: "p"
        case .socket: "s"
        case .characterDevice: "c"
        case .blockDevice: "b"
        }
    }
}

struct Devices: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List and revoke the account's devices.",
        subcommands: [Show.self, Revoke.self], defaultSubcommand: Show.self)

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "list", abstract: "List the devices.")

        @Flag(help: "As JSON, for programs.")
        var json = false

        @OptionGroup var profile: ProfileOption

        func run() throws {
            let devices = try profile.ask { api throws(APIError) in try api.devices() }
            if json { return try Output.json(devices) }
            for device in devices {
                Output.line(
                    "\(device.id)  seen \(Output.date(device.lastSeenAt))  \(device.name)"
                        + (device.current ? " (this one)" : ""))
            }
        }
    }

    struct Revoke: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End a device's token: it can neither read nor write from then on.")

        @Argument(help: "The id that 'dbxfs devices' shows.")
        var id: String

        @OptionGroup var profile: ProfileOption

        func run() throws {
            guard let device = DeviceID(hex: id) else {
                throw ClientFailure(.usage, "“\(id)” is no device id", remedy: "Take one from: dbxfs devices")
            }
            try profile.ask { api throws(APIError) in try api.revoke(device) }
            Output.line("Revoked.")
        }
    }
}

extension ProfileOption {
    /// One request to the profile's server.
    func ask<Answer>(_ request: (any DbxAPI) throws(APIError) -> Answer) throws -> Answer {
        let profile = try profile
        let api = try Account.api(for: profile)
        do throws(APIError) {
            return try request(api)
        } catch {
            throw Account.failure(of: error, server: try ProfileSettings.load(for: profile).server)
        }
    }
}
