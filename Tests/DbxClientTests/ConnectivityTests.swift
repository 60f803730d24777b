import DbxClient
import DbxModel
import DbxSystem
import DbxWire
import Synchronization
import Testing

@Suite struct ConnectivityTests {
    /// A thread that is overtaken between a change and telling of it must not tell it last.
    @Test(.timeLimit(.minutes(1)))
    func `changes are told in the order in which they happen, whoever makes them`() throws {
        let connectivity = Connectivity(time: SystemTime(), entropy: SystemEntropy())
        let told = Mutex<[ConnectionStatus.State]>([])
        let asleep = Mutex<WorkerThread?>(nil)
        connectivity.onChange { news in
            // While this listener is being told, another thread changes the state and has its listeners told.
            if news == .connected {
                let thread = try? WorkerThread(name: "asleep") { connectivity.fallAsleep() }
                thread?.join()
                asleep.withLock { $0 = thread }
            }
            told.withLock { $0.append(news) }
        }
        connectivity.serverAnswered()
        #expect(asleep.withLock { $0 } != nil)
        #expect(told.withLock { $0 } == [.connected, .offline])
        #expect(connectivity.status.state == .offline)
    }
}
