import DbxLocalStore
import DbxModel
import DbxSystem
import DbxTestKit
import Testing

@testable import DbxFileSystem

/// The rule by which writers wait, in a world of numbers.
@Suite struct PacingTests {
    /// A writer that is always faster than the upload of what it writes; every number is drawn from the seed.
    private struct World {
        let limitBytes: Double
        let writeBytes: Double
        let writesPerSecond: Double
        let uploadRate: Double
        /// What the pacing is told of the rate is so many times the truth.
        let rateError: Double
        let commitSeconds: Double
        let startSeconds: Double

        init(seed: UInt64) {
            let random = SeededEntropy(seed: seed)
            limitBytes = Double(1 << random.number(in: 24..<33))
            writeBytes = limitBytes / Double(1 << random.number(in: 6..<11))
            uploadRate = limitBytes / Double(random.number(in: 1..<400)) * 4
            writesPerSecond = uploadRate / writeBytes * Double(random.number(in: 2..<40))
            rateError = Double(random.number(in: 60..<160)) / 100
            commitSeconds = Double(random.number(in: 20..<700)) / 1_000
            startSeconds = Double(random.number(in: 2..<60)) / 1_000
        }
    }

    private struct Outcome {
        var seconds = 0.0
        var longestWrite = 0.0
        var largestLoad = 0.0
    }

    /// What uploads do: nothing, wait for their start, send a snapshot, wait for its commit.
    private struct Uploader {
        enum Phase { case idle, starting, sending, committing }
        var phase = Phase.idle
        var phaseEnd = Double.infinity
        var began = 0.0
        var snapshot = 0.0
        var idleSince: Double?
    }

    private func run(_ world: World, isPaced: Bool) -> Outcome {
        var pacing = WritePacing()
        var uploader = Uploader()
        var outcome = Outcome()
        var used = 0.0
        var now = 0.0

        func progress() -> UploadProgress {
            let isSending = uploader.phase == .sending
            let left = isSending ? max(1, uploader.snapshot - (now - uploader.began) * world.uploadRate) : 0
            return UploadProgress(
                outstandingBytes: Int64(left), bytesPerSecond: world.uploadRate * world.rateError,
                idleSince: isSending ? nil : uploader.idleSince.map { .seconds($0) })
        }
        func load(adding bytes: Double) -> StagingLoad? {
            guard used > world.limitBytes / 2 else { return nil }
            return StagingLoad(
                addedBytes: Int64(bytes), usedBytes: Int64(used), limitBytes: Int64(world.limitBytes))
        }
        /// Lets uploads come to `moment`.
        func advance(to moment: Double) {
            while uploader.phaseEnd <= moment {
                now = uploader.phaseEnd
                switch uploader.phase {
                case .idle: break
                case .starting:
                    uploader = Uploader(phase: .sending, began: now, snapshot: used)
                    uploader.phaseEnd = now + used / world.uploadRate
                case .sending:
                    uploader.phase = .committing
                    uploader.idleSince = now
                    uploader.phaseEnd = now + world.commitSeconds
                case .committing:
                    used -= uploader.snapshot
                    pacing.freed(load(adding: 0), progress(), now: .seconds(now))
                    uploader.phase = .idle
                    uploader.phaseEnd = .infinity
                    if used > world.limitBytes / 2 { start() }
                }
            }
            now = moment
        }
        func start() {
            uploader.phase = .starting
            uploader.phaseEnd = now + world.startSeconds
        }

        for _ in 0..<Int(12 * world.limitBytes / world.writeBytes) {
            let began = now
            advance(to: now + 1 / world.writesPerSecond)
            while used + world.writeBytes > world.limitBytes { advance(to: uploader.phaseEnd) }
            used += world.writeBytes
            outcome.largestLoad = max(outcome.largestLoad, used)
            if let load = load(adding: world.writeBytes) {
                if uploader.phase == .idle { start() }
                if isPaced { pacing.wrote(load, progress(), now: .seconds(now)) }
            }
            // Room that comes meanwhile ends the wait.
            while true {
                let due = pacing.due / .seconds(1)
                guard due > now else { break }
                advance(to: min(uploader.phaseEnd, due))
            }
            outcome.longestWrite = max(outcome.longestWrite, now - began)
        }
        outcome.seconds = now
        return outcome
    }

    @Test(arguments: testSeeds(400))
    func `no write stands for an upload, and all of them together take hardly longer`(seed: UInt64) {
        let world = World(seed: seed)
        let free = run(world, isPaced: false)
        let paced = run(world, isPaced: true)
        #expect(paced.longestWrite <= max(0.4 * free.longestWrite, 0.5), "seed \(seed): \(free) \(paced) \(world)")
        #expect(paced.seconds <= 1.25 * free.seconds + 1, "seed \(seed): \(free) \(paced) \(world)")
        #expect(paced.largestLoad <= world.limitBytes)
    }

    private func load(_ used: Int64, adding added: Int64 = 1 << 20) -> StagingLoad {
        StagingLoad(addedBytes: added, usedBytes: used << 20, limitBytes: 100 << 20)
    }

    private let busy = UploadProgress(outstandingBytes: 50 << 20, bytesPerSecond: 10_000_000, idleSince: nil)

    @Test func `nobody waits below three quarters of the limit, nor where nothing goes up`() {
        var pacing = WritePacing()
        for used in Int64(1)..<75 {
            pacing.wrote(load(used), busy, now: .seconds(100))
            #expect(pacing.due == .zero)
        }
        for used in Int64(75)...100 {
            pacing.wrote(load(used), nil, now: .seconds(200))
            #expect(pacing.due == .zero)
        }
        // Files that the server refuses: connected, and nothing on its way.
        let idle = UploadProgress(outstandingBytes: 0, bytesPerSecond: 10_000_000, idleSince: .seconds(10))
        pacing.wrote(load(90), idle, now: .seconds(300))
        pacing.wrote(load(91), idle, now: .seconds(310))
        #expect(pacing.due <= .seconds(302))
    }

    @Test func `the fuller staging is, the longer the same write waits, and never beyond the room to come`() {
        var longest: Duration = .zero
        for used in Int64(75)..<100 {
            var pacing = WritePacing()
            pacing.wrote(load(used), busy, now: .seconds(100))
            let delay = pacing.due - .seconds(100)
            #expect(delay > longest)
            longest = delay
        }
        #expect(longest < .seconds(7))
    }

    @Test func `room that comes free ends the waits, where it is enough`() {
        var pacing = WritePacing()
        pacing.wrote(load(95), busy, now: .seconds(100))
        pacing.freed(load(90), busy, now: .seconds(100))
        #expect(pacing.due > .seconds(100))
        pacing.freed(load(60), busy, now: .seconds(100))
        #expect(pacing.due == .zero)
    }
}
