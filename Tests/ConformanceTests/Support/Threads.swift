import CTestShims
import Foundation
import Synchronization

/// Runs `body` on a thread of its own and waits for it.
func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) throws -> Value {
    try onThreads([body])[0]
}

/// Runs all of them side by side, each on a thread of its own, and waits for all.
@discardableResult
func onThreads<Value: Sendable>(_ bodies: [@Sendable () throws -> Value]) throws -> [Value] {
    let results = Mutex<[Int: Result<Value, any Error>]>([:])
    let group = DispatchGroup()
    for (index, body) in bodies.enumerated() {
        group.enter()
        Thread.detachNewThread {
            let result = Result { try body() }
            results.withLock { $0[index] = result }
            group.leave()
        }
    }
    group.wait()
    return try results.withLock { all in try bodies.indices.map { try all[$0]!.get() } }
}

/// Runs both side by side.
@discardableResult
func onThreads<Value: Sendable>(
    _ one: @escaping @Sendable () throws -> Value, _ two: @escaping @Sendable () throws -> Value
) throws -> [Value] {
    try onThreads([one, two])
}

/// Something that one thread tells another, once.
final class Flag: Sendable {
    private let value = Atomic(false)
    var isRaised: Bool { value.load(ordering: .acquiring) }
    func raise() { value.store(true, ordering: .releasing) }
}

/// Runs `body` as another user: on a thread of its own, because credentials are per thread in the kernel.
@discardableResult
func asUser<Value: Sendable>(
    _ uid: uid_t, group: gid_t? = nil, _ body: @escaping @Sendable () throws -> Value
) throws -> Value {
    try onThread {
        let code = dbxfs_test_become(uid, group ?? uid)
        if code != 0 { throw CallError(code: -code) }
        return try body()
    }
}
