internal import CFuse3
internal import Glibc

/// The bytes of one directory listing as the kernel reads them. Owns its memory.
@safe struct FuseDirectoryBuffer: ~Copyable, @unchecked Sendable {
    private let memory: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    init(capacity: Int) {
        unsafe memory = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 8)
    }

    deinit { unsafe memory.deallocate() }

    var bytes: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(rebasing: memory[..<count]) }

    /// Runs libfuse's `add` on what is free; it returns the size the entry needs, and has written it if it fits.
    mutating func append(
        _ name: borrowing Span<UInt8>, _ add: (UnsafeMutablePointer<CChar>, Int, UnsafePointer<CChar>) -> Int
    ) -> Bool {
        let free = unsafe memory.count - count
        // A zero byte ends a C string; names are at most 255 bytes (`NAME_MAX`), which the kernel enforces too.
        guard name.count <= 255, let base = unsafe memory.baseAddress else { return true }
        let needed = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: name.count + 1) { terminated in
            for index in 0..<name.count { unsafe terminated[index] = CChar(bitPattern: name[index]) }
            unsafe terminated[name.count] = 0
            guard let text = terminated.baseAddress else { return 0 }
            // Safe: `free` bytes lie behind `count`, and libfuse writes no more.
            return unsafe add(
                (base + count).assumingMemoryBound(to: CChar.self), free, UnsafePointer(text))
        }
        guard needed <= free else { return false }
        count += needed
        return true
    }
}
