import DbxLocalStore

/// Tells from the first reads of small files that a program goes through a directory, in the order of its listing or of
/// its names, and says which files to fetch ahead. A value; pure.
///
/// A window opens once a few files that were not here have been read one behind the other, and doubles while it is used.
/// What has not been read when half of the window behind it has been counts as unused; where that is half of a window, or a
/// read goes elsewhere, it ends, and the next one takes more to open. Once a window was used the next directory takes less.
struct DirectoryReadahead {
    /// What to do after a read.
    struct Step {
        var cancelled: [FetchToken] = []
        /// The files to look for; `asked` is then called with what was found.
        var window: Window?
    }

    struct Window {
        var behind: FilePlace
        var order: DirectoryOrder
        var files: Int
    }

    private struct Walk {
        var last: FilePlace
        /// Steps forward since the last one backward, in each order.
        var listingRun = 0
        var nameRun = 0
        /// Set while a window is open.
        var order: DirectoryOrder?
        var files = DirectoryReadahead.smallestWindow
        var until: FilePlace?
        /// Everything behind has been asked for.
        var isAtEnd = false
        /// A window has been handed out and `asked` not been called yet.
        var isLooking = false
        /// Files asked for and not read yet, by the window that they were in.
        var ahead: [InodeNumber: Int] = [:]
        var windows = 0
        var lastWindowFiles = 0
        var tokens: [FetchToken] = []

        func run(in order: DirectoryOrder) -> Int { order == .listing ? listingRun : nameRun }
    }

    /// A larger file is no small one; its own readahead serves it.
    static let largestFile: Int64 = 256 << 10
    static let smallestWindow = 16
    static let largestWindow = 256
    private static let firstPatience = 2
    private static let longestPatience = 1_024
    /// Directories that are gone through at the same time.
    private static let maximumWalks = 8

    private var walks: [(directory: InodeNumber, walk: Walk)] = []
    private var patience = DirectoryReadahead.firstPatience
    private var lastOrder = DirectoryOrder.listing

    /// Whether reads of files that are here matter.
    var isActive: Bool { walks.contains { $0.walk.order != nil } }

    /// The first read of an open file that is small. `isMissing`: it was not here.
    mutating func read(_ number: InodeNumber, at place: FilePlace, isMissing: Bool) -> Step {
        var step = Step()
        guard var walk = take(place.directory, &step) else {
            guard isMissing else { return step }
            var walk = Walk(last: place)
            if patience == 0 { open(&walk, lastOrder, &step) }
            put(walk, place.directory, &step)
            return step
        }
        defer { put(walk, place.directory, &step) }
        guard place != walk.last else { return step }
        Self.count(place, &walk)
        let wasAhead = walk.ahead.removeValue(forKey: number) != nil
        if let order = walk.order {
            if isMissing, !wasAhead { leave(&walk, order, &step) }
            if walk.order != nil { refill(&walk, &step) }
        } else if isMissing {
            let order: DirectoryOrder = walk.nameRun > walk.listingRun ? .name : .listing
            if walk.run(in: order) >= patience { open(&walk, order, &step) }
        }
        return step
    }

    /// The answer to a window: the files in it that are not here, their fetches, and the last place that was looked at.
    mutating func asked(
        _ directory: InodeNumber, files: [InodeNumber], tokens: [FetchToken], until: FilePlace, isAtEnd: Bool
    ) {
        guard let index = walks.firstIndex(where: { $0.directory == directory && $0.walk.isLooking }) else { return }
        walks[index].walk.isLooking = false
        walks[index].walk.until = until
        walks[index].walk.isAtEnd = isAtEnd
        walks[index].walk.windows += 1
        walks[index].walk.lastWindowFiles = files.count
        // Those of the window before may still be on their way.
        walks[index].walk.tokens = walks[index].walk.tokens.suffix(Self.largestWindow) + tokens
        for file in files { walks[index].walk.ahead[file] = walks[index].walk.windows }
    }

    // MARK: Moves

    private static func count(_ place: FilePlace, _ walk: inout Walk) {
        walk.listingRun = place.cookie > walk.last.cookie ? walk.listingRun + 1 : 0
        walk.nameRun = place.name > walk.last.name ? walk.nameRun + 1 : 0
        walk.last = place
    }

    private func open(_ walk: inout Walk, _ order: DirectoryOrder, _ step: inout Step) {
        walk.order = order
        walk.files = Self.smallestWindow
        walk.isLooking = true
        step.window = Window(behind: walk.last, order: order, files: walk.files)
    }

    /// Something was read that nobody had expected: in the other order, perhaps, or the walk is over.
    private mutating func leave(_ walk: inout Walk, _ order: DirectoryOrder, _ step: inout Step) {
        step.cancelled += walk.tokens
        let other: DirectoryOrder = order == .listing ? .name : .listing
        walk = Walk(last: walk.last, listingRun: walk.listingRun, nameRun: walk.nameRun)
        if walk.run(in: other) > walk.run(in: order), walk.run(in: other) >= patience {
            open(&walk, other, &step)
        } else {
            lose()
        }
    }

    private mutating func refill(_ walk: inout Walk, _ step: inout Step) {
        guard let order = walk.order, let until = walk.until, !walk.isLooking else { return }
        let stale = walk.ahead.filter { $0.value < walk.windows }
        guard (walk.ahead.count - stale.count) * 2 <= walk.lastWindowFiles else { return }
        for number in stale.keys { walk.ahead[number] = nil }
        guard stale.count * 2 <= walk.lastWindowFiles else {
            step.cancelled += walk.tokens
            walk = Walk(last: walk.last)
            return lose()
        }
        patience = 0
        lastOrder = order
        guard !walk.isAtEnd else { return }
        walk.files = min(walk.files * 2, Self.largestWindow)
        walk.isLooking = true
        step.window = Window(behind: until, order: order, files: walk.files)
    }

    private mutating func lose() {
        patience = min(max(patience, Self.firstPatience) * 4, Self.longestPatience)
    }

    // MARK: Walks, the latest last

    private mutating func take(_ directory: InodeNumber, _ step: inout Step) -> Walk? {
        guard let index = walks.firstIndex(where: { $0.directory == directory }) else { return nil }
        return walks.remove(at: index).walk
    }

    private mutating func put(_ walk: Walk, _ directory: InodeNumber, _ step: inout Step) {
        walks.append((directory, walk))
        if walks.count > Self.maximumWalks { step.cancelled += walks.removeFirst().walk.tokens }
    }
}
