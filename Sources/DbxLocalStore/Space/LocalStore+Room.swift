import DbxSystem

/// Room on the disk: what segments take of it, what they give back, and what is done while there is none.
extension LocalStore {
    /// For cached blocks even while the disk has less free than its floor: without any nothing could be read through it.
    private static let workingBytes = SegmentFiles.segmentBytes
    /// So much of that stays when the disk is full to the last byte: who reads gets what it evicts.
    private static let leastWorkingBytes: Int64 = 16 << 20
    /// Idle room above this goes back to the disk although nobody needs it there.
    private static let idleSlackBytes: Int64 = 256 << 20
    /// What is evicted in one go, with everybody waiting.
    private static let evictionBytes: Int64 = 64 << 20

    /// With so much free, all that is to be set aside can be.
    private static let logRoomBytes: Int64 = 32 << 20

    /// With less the disk counts as full: a few seconds of work, until the next epoch looks.
    private static let leastFreeBytes: Int64 = 8 << 20

    /// The disk has hardly any room but what is set aside for removing things and for epochs. Looked at by each epoch.
    package var isDiskFull: Bool { wasDiskFull || !database.hasRoom || !stagingLog.hasRoom }

    /// New things are refused while the disk is full: what is set aside is for getting out of that.
    func requireRoom() throws(StoreError) {
        guard isDiskFull else { return }
        if try freeBytes() >= Self.logRoomBytes { keepRoom() }
        if isDiskFull { throw .io(.noSpace) }
    }

    /// Sets room aside for what has to be written when the disk is full, and looks whether it is. Each epoch does, and who
    /// works with the store before the first one: somebody else may fill the disk then.
    package func keepRoom() {
        database.keepRoom()
        stagingLog.keepRoom()
        guard let free = try? freeBytes() else { return }
        wasDiskFull = free < Self.leastFreeBytes
        stagingCeiling = max(Self.workingBytes, stagingBytes + growth(withFree: free))
    }

    /// By how much staging could grow with so much free on the disk, were there no other limit.
    private func growth(withFree bytes: Int64) -> Int64 {
        max(0, bytes - configuration.freeSpaceFloorBytes) + space.idleBytes + cachedBytes
    }

    // MARK: Taking

    /// Contiguous room. Where there is none cached blocks give way, never staging; their room comes with the next epoch.
    func allocate(_ length: Int64, forStaging: Bool) throws(StoreError) -> SegmentLocation {
        if forStaging {
            try requireRoom()
            if try isStagingFull(with: length) { throw .noSpace }
            roomForWaiting = 0
        }
        if let location = space.allocate(length) { return location }
        if let location = try grow(by: length, forStaging, { () throws(StoreError) in try takeBack(length) }) {
            return location
        }
        let grown = try grow(by: SegmentFiles.segmentBytes, forStaging) { () throws(StoreError) in
            try growSegments()
            return space.allocate(length)
        }
        if let grown { return grown }
        try evict(length)
        roomForWaiting = max(roomForWaiting, length)
        // An upload or the next epoch makes room, where there is anything to send or to give back; for what is read, also what
        // waits for an epoch under way and what others are just reading.
        let comesBack = !forStaging && (space.idleBytes > 0 || reservedCacheBytes > 0)
        throw stagingBytes > 0 || space.freedCount > 0 || comesBack ? .noSpace : .io(.noSpace)
    }

    func isStagingFull(with length: Int64) throws(StoreError) -> Bool {
        guard !isStagingLimitLifted, stagingBytes + length > configuration.stagingLimitBytes else { return false }
        return try stagingBytes - localOnlyBytes() + length > configuration.stagingLimitBytes
    }

    /// Nil where the disk is not to be asked for that much, or does not have it as was to be expected. A disk that says that
    /// it has it, and does not give it, fails: nothing of the cache would help.
    private func grow(
        by bytes: Int64, _ forStaging: Bool, _ take: () throws(StoreError) -> SegmentLocation?
    ) throws(StoreError) -> SegmentLocation? {
        let held = forStaging ? space.heldBytes : space.idleBytes + cachedBytes
        let hasRoom = try freeBytes() - bytes >= configuration.freeSpaceFloorBytes
        guard hasRoom || held + bytes <= Self.workingBytes else { return nil }
        do throws(StoreError) {
            return try take()
        } catch {
            if !hasRoom, case .io(.noSpace) = error { return nil }
            throw error
        }
    }

    private func freeBytes() throws(StoreError) -> Int64 {
        do {
            return try Paths.diskSpace(at: configuration.directory).availableBytes
        } catch {
            throw .io(error)
        }
    }

    /// Room in a segment that was given back to the disk before; nil where there is none.
    private func takeBack(_ length: Int64) throws(StoreError) -> SegmentLocation? {
        guard let location = space.allocate(length, withoutRoom: true) else { return nil }
        do {
            try segments.takeRoom(location, length)
            return location
        } catch {
            space.giveUp(location, length)
            throw .io(error)
        }
    }

    private func growSegments() throws(StoreError) {
        let number = space.nextSegmentNumber
        do {
            try segments.create(number)
        } catch {
            throw .io(error)
        }
        try transaction {
            try execute("INSERT INTO segments (number) VALUES (?)", [Int64(number).sqlValue])
        }
        // Its size and its room come to the disk with the row that names it.
        unsyncedSegments.insert(number)
        space.addSegment(number)
    }

    /// What staging can still take, for `statfs` and for slowing writers.
    package func stagingRoom() throws(StoreError) -> Int64 {
        if isDiskFull { return 0 }
        let growth = growth(withFree: try freeBytes())
        return max(0, min(configuration.stagingLimitBytes - stagingBytes + (try localOnlyBytes()), growth))
    }

    // MARK: Giving back

    /// Lets cached blocks give way where the disk has less free than its floor, a part of them at a time. Their pages can
    /// be given back after the next epoch. Whether there is more to do.
    package func makeWayForDisk() throws(StoreError) -> Bool {
        if isDiskFull { keepRoom() }
        let wanted = try roomOwed() - space.idleBytes
        guard wanted > 0 else { return false }
        let before = cachedBytes
        try evict(min(wanted, Self.evictionBytes))
        return cachedBytes < before && wanted > Self.evictionBytes
    }

    /// Pages whose room the disk gets back: punch them without the lock, then call `roomWasGivenBack`.
    package func takeRoomToGiveBack() throws(StoreError) -> [SegmentRange] {
        let wanted = max(try roomOwed(), space.idleBytes - Self.idleSlackBytes, promisedRoom)
        // What has given way for a write or a read that waits is not the disk's.
        let ranges = space.takeIdle(min(wanted, space.idleBytes - roomForWaiting))
        promisedRoom = max(0, promisedRoom - ranges.reduce(0) { $0 + $1.length })
        return ranges
    }

    package func roomWasGivenBack(_ ranges: [SegmentRange]) {
        for range in ranges { space.giveUp(range.location, range.length) }
        if isDiskFull { keepRoom() }
    }

    /// How much of what is held the disk should have: what its floor lacks, and nearly all of it when it is full.
    private func roomOwed() throws(StoreError) -> Int64 {
        let missing = configuration.freeSpaceFloorBytes - (try freeBytes())
        guard missing > 0 else { return isDiskFull ? space.idleBytes : 0 }
        return max(
            0, min(missing, space.idleBytes + cachedBytes - (isDiskFull ? Self.leastWorkingBytes : Self.workingBytes)))
    }
}
