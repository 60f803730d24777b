import Foundation
import Glibc

/// A D-Bus of its own with a logind on it that gives delay locks and announces suspends, none of which comes, and a
/// NetworkManager that says of its connection what it is told. Ends with the object. Used by one test at a time.
package final class FakeSystemBus {
    private let directory = TemporaryDirectory()
    private var processes: [Process] = []
    private let orders = Pipe()
    private let news = Pipe()
    private var received = ""

    /// Both are started and ready when this returns.
    package init() throws {
        let bus = try start(
            "/usr/bin/dbus-daemon", ["--session", "--nofork", "--nopidfile", "--nosyslog", "--address=\(address)"])
        processes.append(bus)
        try Shell.eventually("the bus is there") { FileManager.default.fileExists(atPath: socket) }
        let arguments = ["-u", "-c", Self.program, address]
        processes.append(try start("/usr/bin/python3", arguments, input: orders, output: news))
        try expect("ready")
    }

    deinit {
        for process in processes.reversed() {
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
    }

    private var socket: String { directory.path + "/bus" }
    private var address: String { "unix:path=\(socket)" }

    /// What leads a client here.
    package var environment: [String: String] { ["DBUS_SYSTEM_BUS_ADDRESS": address] }

    /// Announces a suspend, and with false that it is over.
    package func announce(sleep isComing: Bool) throws {
        try orders.fileHandleForWriting.write(contentsOf: Data((isComing ? "sleep\n" : "awake\n").utf8))
    }

    /// The connection is, or is no more, one where data cost money.
    package func announce(metered isMetered: Bool) throws {
        try orders.fileHandleForWriting.write(contentsOf: Data((isMetered ? "metered\n" : "free\n").utf8))
        try expect("told")
    }

    /// Waits until logind says this: `delayed by WHO` for a lock taken, `released` for one given back.
    package func expect(_ line: String) throws {
        let descriptor = news.fileHandleForReading.fileDescriptor
        let deadline = Date().addingTimeInterval(30)
        while true {
            if let end = received.firstIndex(of: "\n") {
                let first = String(received[..<end])
                received.removeSubrange(...end)
                guard first == line else {
                    throw Shell.Failure(description: "logind said “\(first)” and not “\(line)”")
                }
                return
            }
            var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            if poll(&poller, 1, 100) > 0 {
                let data = news.fileHandleForReading.availableData
                guard !data.isEmpty else { throw Shell.Failure(description: "logind has ended") }
                received += String(decoding: data, as: UTF8.self)
            }
            guard Date() < deadline else { throw Shell.Failure(description: "logind does not say “\(line)”") }
        }
    }

    private func start(
        _ program: String, _ arguments: [String], input: Pipe? = nil, output: Pipe? = nil
    ) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.standardInput = input ?? FileHandle.nullDevice
        process.standardOutput = output ?? FileHandle.nullDevice
        process.standardError = output == nil ? FileHandle.nullDevice : FileHandle.standardError
        try process.run()
        return process
    }

    private static let program = """
        import os, sys, dbus.bus, dbus.service
        from dbus.mainloop.glib import DBusGMainLoop
        from gi.repository import GLib

        DBusGMainLoop(set_as_default=True)
        bus = dbus.bus.BusConnection(sys.argv[1])
        interface = "org.freedesktop.login1.Manager"

        class Manager(dbus.service.Object):
            @dbus.service.method(interface, in_signature="ssss", out_signature="h")
            def Inhibit(self, what, who, why, mode):
                if (what, mode) != ("sleep", "delay"):
                    raise dbus.exceptions.DBusException("not for a client")
                ours, theirs = os.pipe()
                def released(descriptor, condition):
                    os.close(descriptor)
                    print("released")
                    return False
                GLib.io_add_watch(ours, GLib.IO_HUP, released)
                print(f"delayed by {who}")
                lock = dbus.types.UnixFd(theirs)
                os.close(theirs)
                return lock

            @dbus.service.signal(interface, signature="b")
            def PrepareForSleep(self, coming):
                pass

        class Network(dbus.service.Object):
            # NM_METERED_GUESS_NO, NM_METERED_YES
            metered = 4
            @dbus.service.method("org.freedesktop.DBus.Properties", in_signature="ss", out_signature="v")
            def Get(self, interface, name):
                if (interface, name) != ("org.freedesktop.NetworkManager", "Metered"):
                    raise dbus.exceptions.DBusException("no such property")
                return dbus.UInt32(self.metered)

        manager = Manager(bus, "/org/freedesktop/login1")
        network = Network(bus, "/org/freedesktop/NetworkManager")
        names = [dbus.service.BusName("org.freedesktop." + name, bus) for name in ("login1", "NetworkManager")]

        def order(source, condition):
            lines = os.read(0, 4096).decode().split()
            for line in lines:
                if line in ("metered", "free"):
                    network.metered = 1 if line == "metered" else 4
                    print("told")
                else:
                    manager.PrepareForSleep(line == "sleep")
            return bool(lines)

        GLib.io_add_watch(sys.stdin, GLib.IO_IN, order)
        print("ready")
        GLib.MainLoop().run()
        """
}
