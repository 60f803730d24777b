import CDbxShims
import DbxModel
import Glibc

/// Takes part in the machine's suspend, on a thread of its own that lives as long as the process.
///
/// Where there is a logind, it holds a delay lock of it: at `PrepareForSleep` the handler prepares, then the lock is given
/// back, and taken again afterwards (https://systemd.io/INHIBITOR_LOCKS). That the machine has slept is noticed without
/// logind too, by its clocks.
package final class SleepWatch: Sendable {
    package struct Handler: Sendable {
        /// The machine waits until this returns, a few seconds at most.
        let prepare: @Sendable () -> Void
        let wake: @Sendable () -> Void

        package init(prepare: @escaping @Sendable () -> Void, wake: @escaping @Sendable () -> Void) {
            self.prepare = prepare
            self.wake = wake
        }
    }

    private static let logind = (
        name: "org.freedesktop.login1", path: "/org/freedesktop/login1", interface: "org.freedesktop.login1.Manager"
    )
    /// How long to wait before a bus that has gone, or was not there, is looked for again.
    private static let busPause: Duration = .seconds(60)

    private let handler: Handler
    private let who: String

    /// `who`: the name that `systemd-inhibit --list` shows.
    package static func start(who: String, _ handler: Handler) throws(Errno) {
        let clock = dbxfs_open_clock_watch()
        guard clock >= 0 else { throw Errno(rawValue: -clock) }
        let clockWatch = OpenFile(takingOwnershipOf: clock)
        let watch = SleepWatch(handler, who: who)
        _ = try WorkerThread(name: "dbxfs-sleep") { watch.run(clockWatch) }
    }

    private init(_ handler: Handler, who: String) {
        self.handler = handler
        self.who = who
    }

    // MARK: The thread

    private func run(_ clockWatch: OpenFile) -> Never {
        var judge = SleepJudge(slept: Self.slept)
        var link = connect()
        while true {
            let limit = [judge.nextLook(now: Self.now), link == nil ? Self.busPause : nil].compactMap(\.self).min()
            Self.wait([clockWatch.descriptor] + (link.map { [$0.bus.descriptor] } ?? []), limit)
            Self.drain(clockWatch)
            perform(judge.looked(slept: Self.slept, now: Self.now), &link)
            if link == nil { link = connect() }
            do throws(Errno) {
                while let signals = try link?.bus.takeSignals(), !signals.isEmpty {
                    for signal in signals { take(signal, &judge, &link) }
                }
            } catch {
                link = nil
                perform(judge.lostAnnouncements(), &link)
            }
        }
    }

    private func take(_ signal: BusMessage, _ judge: inout SleepJudge, _ link: inout Link?) {
        switch (signal.member, signal.body.first) {
        case ("PrepareForSleep", .bool(let isComing)):
            perform(judge.announced(sleep: isComing, now: Self.now), &link)
        case ("NameOwnerChanged", .string(Self.logind.name)):
            // A logind that was started again knows nothing of our lock.
            perform(judge.lostAnnouncements() + [.takeDelay], &link)
        default: break
        }
    }

    private func perform(_ actions: [SleepJudge.Action], _ link: inout Link?) {
        for action in actions {
            switch action {
            case .prepare:
                handler.prepare()
                link?.delay = nil
            case .wake: handler.wake()
            case .takeDelay:
                let delay = link.flatMap { takeDelay($0.bus) }
                link?.delay = delay
            }
        }
    }

    // MARK: logind

    /// The bus, and logind's lock, which is held as long as the descriptor is open.
    private struct Link {
        let bus: SystemBus
        var delay: OpenFile?
    }

    /// Nil where there is no bus.
    private func connect() -> Link? {
        do throws(Errno) {
            let bus = try SystemBus()
            let logind = Self.logind
            try bus.subscribe(
                "type='signal',sender='\(logind.name)',interface='\(logind.interface)',member='PrepareForSleep'")
            try bus.subscribe(
                "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='\(logind.name)'")
            return Link(bus: bus, delay: takeDelay(bus))
        } catch {
            return nil
        }
    }

    /// Nil where there is no logind, or it has no lock for us: we then hear of a suspend without delaying it.
    private func takeDelay(_ bus: SystemBus) -> OpenFile? {
        let request = BusMessage.call(
            Self.logind.name, Self.logind.path, Self.logind.interface, "Inhibit",
            [
                .string("sleep"), .string(who), .string("Programs that wait for the server must have an answer"),
                .string("delay"),
            ])
        return (try? bus.call(request))?.descriptor
    }

    // MARK: Clocks

    private static var now: Duration { SystemTime().monotonic() }

    /// How long the machine has slept since it was started.
    private static var slept: Duration {
        let awake = now
        let time = SystemTime.read(CLOCK_BOOTTIME)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec) - awake
    }

    private static func wait(_ descriptors: [Int32], _ limit: Duration?) {
        var pollers = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        let milliseconds = limit.map { limit in
            let (seconds, attoseconds) = limit.components
            return Int32(clamping: seconds * 1_000 + attoseconds / 1_000_000_000_000_000 + 1)
        }
        _ = unsafe poll(&pollers, nfds_t(pollers.count), milliseconds ?? -1)
    }

    /// Fails with ECANCELED when the clock was set, which is what it is for.
    private static func drain(_ clockWatch: OpenFile) {
        var count: UInt64 = 0
        _ = unsafe read(clockWatch.descriptor, &count, 8)
    }
}
