import ArgumentParser
import DbxClient
import DbxSystem
import DbxWire
import Foundation
import Glibc

struct Login: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Connect this computer to an account.",
        discussion: """
            A server whose certificate no authority signed is recognised by its fingerprint: compare it with what \
            'dbxfs-server fingerprint' prints there.
            """)

    @Argument(help: "https://HOST[:PORT], or http:// to this machine.")
    var url: String

    @Option(help: "The account's name. (default: your user name here)")
    var user: String?

    @Flag(help: "Read the password from the first line of standard input.")
    var passwordStdin = false

    @Option(help: "How this computer is called in lists. (default: the host name)")
    var device: String?

    @Option(help: "The certificate to trust, SHA256:AA:BB:…; asked on a terminal otherwise.")
    var fingerprint: String?

    @OptionGroup var profile: ProfileOption

    func run() throws {
        let profile = try profile.profile
        let address = try ServerAddress.resolve(url, fingerprint: fingerprint) { shown throws(ClientFailure) in
            try confirm(shown)
        }
        let user = user ?? NSUserName()
        let password = try Terminal.password(fromStandardInput: passwordStdin, prompt: "Password of \(user): ")
        let device = device ?? ProcessInfo.processInfo.hostName
        try Account.logIn(
            profile, address: address, request: LoginRequest(user: user, password: password, device: device))
        Output.line("Logged in as \(user) on \(url). Next: dbxfs mount DIR")
    }

    private func confirm(_ shown: String) throws(ClientFailure) -> Bool {
        guard isatty(STDIN_FILENO) == 1, !passwordStdin else {
            throw ClientFailure(
                .untrusted, "No authority vouches for the certificate of \(url), fingerprint \(shown)",
                remedy: "Compare it with “dbxfs-server fingerprint” on the server, then add: --fingerprint \(shown)")
        }
        Output.note("No authority vouches for the certificate of \(url). Its fingerprint is\n  \(shown)")
        return Terminal.ask("Is this what “dbxfs-server fingerprint” prints on the server? [yes/no] ") == "yes"
    }
}

struct Logout: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Disconnect this computer: end its token and remove the local copy.",
        discussion: "Refuses while something here is not on the server yet.")

    @Flag(help: "Also delete what the server does not have. It is lost then.")
    var discard = false

    @OptionGroup var profile: ProfileOption

    func run() throws {
        let profile = try profile.profile
        _ = try ProfileSettings.load(for: profile)
        let lock = try ProfileLock.take(profile, mountPoint: nil)
        if !discard, let onlyHere = try LocalState.onlyHere(in: profile) { try Self.refuse(onlyHere, profile) }
        let aside = try RecoveryLog.load(for: profile).reduce(0) { $0 + $1.waitingCount + $1.asideCount }
        if !discard, aside > 0 {
            throw ClientFailure(
                .busy, "\(aside) files saved from a damaged state of profile “\(profile.name)” are only here",
                remedy: "To see where: dbxfs recovered. To lose them: dbxfs logout --discard")
        }
        if try Account.logOut(profile, lock: lock) {
            Output.line("Logged out.")
        } else {
            Output.line("Logged out here. The server did not answer: revoke this device there (dbxfs devices).")
        }
    }
}

extension Logout {
    private static func refuse(_ onlyHere: LocalState.OnlyHere, _ profile: Profile) throws(ClientFailure) {
        if !onlyHere.pending.isEmpty {
            throw ClientFailure(
                .busy, "\(onlyHere.pending.files) changes of profile “\(profile.name)” are only here",
                remedy: "Mount, then run: dbxfs umount --wait. To lose them: dbxfs logout --discard")
        }
        if onlyHere.localOnly.files > 0 {
            throw ClientFailure(
                .busy,
                "\(onlyHere.localOnly.files) files and folders of profile “\(profile.name)” are only here, by ignore rules",
                remedy: "Mount and move them elsewhere. To lose them: dbxfs logout --discard")
        }
    }
}

/// Questions to a person on the terminal.
enum Terminal {
    static func ask(_ question: String) -> String? {
        StandardStreams.writeError(question)
        return readLine(strippingNewline: true)
    }

    static func password(fromStandardInput: Bool, prompt: String) throws(ClientFailure) -> String {
        if !fromStandardInput, isatty(STDIN_FILENO) != 1 {
            throw ClientFailure(
                .usage, "There is no terminal to ask for the password on", remedy: "Use --password-stdin.")
        }
        let line = fromStandardInput ? readLine(strippingNewline: true) : askSilently(prompt)
        guard let line, !line.isEmpty else {
            throw ClientFailure(.usage, "No password was given", remedy: "Try again with the password.")
        }
        return line
    }

    /// With the terminal's echo off.
    private static func askSilently(_ question: String) -> String? {
        var before = termios()
        _ = unsafe tcgetattr(STDIN_FILENO, &before)
        var silent = before
        silent.c_lflag &= ~tcflag_t(ECHO)
        _ = unsafe tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
        defer {
            _ = unsafe tcsetattr(STDIN_FILENO, TCSAFLUSH, &before)
            StandardStreams.writeError("\n")
        }
        return ask(question)
    }
}
