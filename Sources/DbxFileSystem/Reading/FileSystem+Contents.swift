package import DbxLocalStore
package import DbxSystem

extension FileSystem {
    /// Bytes of a file, fetched where they are not here; fewer at its end. For a thread that serves no request. Fails as a
    /// program's read does.
    package func contents(of number: InodeNumber, at offset: Int64 = 0, count: Int) throws(Errno) -> [UInt8] {
        guard count > 0 else { return [] }
        let outcome = Monitor<Result<[UInt8], Errno>?>(nil)
        let handle = Handle(number, isWriting: false)
        let receiver = WaitingReceiver(outcome: outcome)
        ReadOperation(self, handle, offset: offset, count: count, thread: 0, receiver: receiver).begin()
        return try outcome.wait { $0 }.map { result throws(Errno) in try result.get() } ?? []
    }
}

private struct WaitingReceiver: ReadReceiver {
    let outcome: Monitor<Result<[UInt8], Errno>?>

    func receive(_ bytes: RawSpan) {
        // Safe: the bytes are copied during the call.
        let copy = unsafe bytes.withUnsafeBytes { unsafe [UInt8]($0) }
        outcome.update { $0 = .success(copy) }
    }

    func fail(_ error: Errno) { outcome.update { $0 = .failure(error) } }
}
