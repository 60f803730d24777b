import Foundation

/// The seeds of a property test: one from `DBXFS_SEED` to replay, else `count` fixed ones so that runs compare.
package func testSeeds(_ count: Int) -> [UInt64] {
    if let text = ProcessInfo.processInfo.environment["DBXFS_SEED"], let seed = UInt64(text) { return [seed] }
    return (1...UInt64(count)).map { $0 &* 0x9E37_79B9 }
}

extension SeededEntropy {
    /// 0 ..< bound.
    package func number(below bound: Int) -> Int { number(in: 0..<bound) }
    package func chance(_ percent: Int) -> Bool { number(below: 100) < percent }
}
