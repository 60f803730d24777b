import DbxSyncKit
import DbxTestKit

/// In what order the devices pull and push, how large their commits are, and what happens to them.
struct Schedule {
    let seed: UInt64

    func run(in world: World) throws {
        let entropy = SeededEntropy(seed: seed)
        let steps = 2 + entropy.number(below: 24)
        let mostRows = [1, 3, 10, 40, 40, 200][entropy.number(below: 6)]
        for device in world.working {
            device.isLikeDaemon = entropy.chance(25)
            device.mostRows = mostRows
            device.mostUploads = entropy.chance(50) ? mostRows : .max
            device.mostRowsInPage = entropy.chance(50) ? 20 : 1_000
            device.cachedShare = entropy.chance(50) ? 100 : 30
        }
        for _ in 0..<steps {
            let device = entropy.chance(10) ? world.desk : entropy.element(of: world.working)
            if device === world.desk || entropy.chance(30) {
                try device.pull()
            } else {
                _ = try device.push(losingAnswer: entropy.chance(20), leaving: entropy.chance(50) ? 40 : 0)
            }
        }
    }
}
