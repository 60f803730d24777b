/// What a power cut leaves.
extension SimulatedDisk {
    /// How much of what was not synced is on the disk. Different fates find different faults.
    package enum Fate: CaseIterable, Sendable {
        case nothing, everything, halfOfTheFiles, someChanges, someSectors, mostSectors, oldestChanges
    }

    /// A disk as after a power cut now: everything that was synced, and of the rest what chance lets survive.
    package func afterPowerCut(_ fate: Fate, _ entropy: SeededEntropy) -> SimulatedDisk {
        var names = durableNames
        let keptNames = entropy.number(below: unsyncedNames.count + 1)
        for (index, change) in unsyncedNames.enumerated() {
            let survives =
                switch fate {
                case .nothing: false
                case .everything: true
                case .oldestChanges: index < keptNames
                default: entropy.chance(50)
                }
            if survives { change.apply(to: &names) }
        }
        var left: [Number: File] = [:]
        // In order, for the seed decides.
        for (number, file) in files.sorted(by: { $0.key < $1.key }) {
            left[number] = file.unsynced.isEmpty ? file : Self.survivor(of: file, fate, entropy)
        }
        return SimulatedDisk(files: left, names: names, next: numberOfNext)
    }

    private static func survivor(of file: File, _ fate: Fate, _ entropy: SeededEntropy) -> File {
        let isSpared = entropy.chance(50)
        let oldest = entropy.number(below: file.unsynced.count + 1)
        var bytes = file.bytes
        for (index, change) in file.unsynced.enumerated() {
            let isWhole =
                switch fate {
                case .nothing: false
                case .everything: true
                case .halfOfTheFiles: isSpared
                case .oldestChanges: index < oldest
                case .someChanges, .someSectors, .mostSectors: entropy.chance(50)
                }
            let sectors =
                switch fate {
                case .someSectors: 50
                case .mostSectors: 95
                default: isWhole ? 100 : 0
                }
            bytes.apply(change, isWhole: isWhole, percentOfSectors: sectors, entropy)
        }
        bytes.cutAtEnd()
        return File(bytes: bytes)
    }
}

extension SparseBytes {
    private static let sectorBytes: Int64 = 512

    /// `isWhole`: whether sizes and holes have come to the disk; bytes come by sectors.
    fileprivate mutating func apply(
        _ change: SimulatedDisk.Change, isWhole: Bool, percentOfSectors percent: Int, _ entropy: SeededEntropy
    ) {
        switch change {
        case .size(let size): if isWhole { setSize(size) }
        case .zero(let range): if isWhole { zero(range) }
        case .write(let offset, let bytes):
            if percent == 100 {
                write(bytes[...], at: offset)
            } else if percent > 0 {
                writeSectors(of: bytes, at: offset, percent: percent, entropy)
            }
            if isWhole { setSize(max(size, offset + Int64(bytes.count))) }
        }
    }

    private mutating func writeSectors(
        of bytes: [UInt8], at offset: Int64, percent: Int, _ entropy: SeededEntropy
    ) {
        var start = 0
        while start < bytes.count {
            let position = offset + Int64(start)
            let end = min(bytes.count, start + Int(Self.sectorBytes - position % Self.sectorBytes))
            if entropy.chance(percent) { write(bytes[start..<end], at: position) }
            start = end
        }
    }
}
