import CSimulation
import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSync
import DbxSystem
import DbxTestKit

/// One thing that a program does on a device, decided by its own seed and by what it finds there.
struct Program {
    enum Kind: CaseIterable {
        case make, rewrite, append, patch, truncate, save, move, replace, exchange, link, remove
        case makeDirectory, removeDirectory, removeTree, symlink, mode, attribute, times, synchronize, keepOpen, read
        case unpack, rules, merging
    }

    let device: Device
    let fileSystem: FileSystem
    let ledger: Ledger
    let oracle: Oracle
    let entropy: SeededEntropy
    let trace: Trace
    /// Makes its contents unlike all others.
    let stamp: String
    static let caller = Caller(uid: 1_000, gid: 1_000)

    static let weights: [(Kind, Int)] = [
        (.make, 14), (.rewrite, 6), (.append, 6), (.patch, 8), (.truncate, 3), (.save, 10), (.move, 10), (.replace, 5),
        (.exchange, 2), (.link, 3), (.remove, 8), (.makeDirectory, 7), (.removeDirectory, 3), (.removeTree, 3),
        (.symlink, 2), (.mode, 4), (.attribute, 4), (.times, 2), (.synchronize, 6), (.keepOpen, 4), (.read, 4),
        (.unpack, 5),
    ]

    func run(_ kind: Kind) throws {
        switch kind {
        case .make: try make()
        case .rewrite: try edit { _ in content() }
        case .append: try edit { $0 + content() }
        case .patch: try patch()
        case .truncate: try edit { Array($0.prefix(entropy.number(below: $0.count + 1))) }
        case .save: try save()
        case .move: try move()
        case .replace: try replace()
        case .exchange: try exchange()
        case .link: try link()
        case .remove: try remove()
        case .makeDirectory: try makeNode(Self.folder)
        case .removeDirectory: try removeDirectory()
        case .removeTree: try removeTree()
        case .symlink: try makeNode(.symlink(to: Array(stamp.utf8)))
        case .mode: try setMode()
        case .attribute: try setAttribute()
        case .times: try setTimes()
        case .synchronize: try synchronize()
        case .keepOpen: try keepOpen()
        case .read: try read()
        case .unpack: try unpack()
        case .rules: try setRules()
        case .merging: try setMerging()
        }
    }

    // MARK: Contents

    func content() -> [UInt8] {
        let count: Int
        switch entropy.number(below: 100) {
        case 0..<80: count = 1 + entropy.number(below: 40)
        case 80..<98: count = 200 + entropy.number(below: 800)
        default: count = 12_000
        }
        var bytes: [UInt8] = []
        for line in 0..<count { bytes += "\(stamp) \(line) \(entropy.next() & 0xFFFF)\n".utf8 }
        return bytes
    }

    /// Nothing else happens meanwhile: what is read is what is replaced.
    func atOneMoment(_ body: () throws -> Void) rethrows {
        sim_set_preemption(0)
        defer { sim_set_preemption(Simulation.preemption) }
        try body()
    }

    func note(_ text: String, made: [UInt8]?, replacing old: [UInt8]?, hasSucceeded: Bool = true) {
        ledger.note(
            device.name, made: made.flatMap { Ledger.content(of: $0) },
            replacing: old.flatMap { Ledger.content(of: $0) }, hasSucceeded: hasSucceeded && !device.disk.isDead, text)
    }

    /// Brings a file from what it holds to `new` by writes at one moment.
    func write(_ new: [UInt8], over old: [UInt8], to number: InodeNumber, from start: Int = 0) throws {
        var isDone = false
        defer { note("\(stamp) \(new.count) bytes", made: isDone ? new : nil, replacing: old, hasSucceeded: isDone) }
        if new.count < old.count {
            _ = try fileSystem.setAttributes(of: number, to: AttributeChange(size: Int64(new.count)))
        }
        if start < new.count {
            let part = Array(new[start...])
            guard try fileSystem.writeAtOnce(part.span.bytes, to: number, at: Int64(start)) == part.count else {
                throw Errno.noSpace
            }
        }
        isDone = true
    }

    func withOpen(_ number: InodeNumber, _ body: () throws -> Void) throws {
        let file = try fileSystem.open(number, options: .write, by: Self.caller)
        defer { fileSystem.release(file.handle) }
        try body()
    }

    func edit(_ change: ([UInt8]) -> [UInt8]) throws {
        guard let found = try pick(where: { $0.kind == .file }) else { return }
        try atOneMoment {
            guard let old = oracle.content(of: found.attributes.number) else { return }
            let new = change(old)
            try withOpen(found.attributes.number) { try write(new, over: old, to: found.attributes.number) }
        }
        if entropy.chance(20) { try synchronize(found.attributes.number) }
    }

    private func patch() throws {
        guard let found = try pick(where: { $0.kind == .file && $0.size > 0 }) else { return }
        try atOneMoment {
            guard let old = oracle.content(of: found.attributes.number), !old.isEmpty else { return }
            let start = entropy.number(below: old.count)
            var new = old
            let bytes = Array("<\(stamp) \(entropy.next())>".utf8)
            new.replaceSubrange(start..<min(old.count, start + bytes.count), with: bytes)
            try withOpen(found.attributes.number) {
                var isDone = false
                defer { note("\(stamp) patch", made: isDone ? new : nil, replacing: old, hasSucceeded: isDone) }
                let count = try fileSystem.writeAtOnce(
                    bytes.span.bytes, to: found.attributes.number, at: Int64(start))
                isDone = count == bytes.count
            }
        }
    }

    private func make() throws {
        guard let place = try freePlace() else { return }
        try make(place, content())
    }

    @discardableResult
    func make(_ place: Place, _ bytes: [UInt8]) throws -> InodeNumber {
        let (attributes, file) = try fileSystem.create(
            place.name, in: place.parent, permissions: 0o644, options: .write, by: Self.caller)
        defer { fileSystem.release(file.handle) }
        try write(bytes, over: [], to: attributes.number)
        return attributes.number
    }

    /// As `tar` does: many new things one after the other, without a pause.
    private func unpack() throws {
        guard let place = try freePlace() else { return }
        var folder = try fileSystem.make(Self.folder, named: place.name, in: place.parent, by: Self.caller).number
        for name in ["a", "b", "c", "d", "e"] {
            let place = Place(parent: folder, name: Name(name)!)
            switch entropy.number(below: 10) {
            case 0: folder = try fileSystem.make(Self.folder, named: place.name, in: folder, by: Self.caller).number
            case 1: continue
            default: try make(place, Array(content().prefix(300)))
            }
        }
    }

    private static let folder = NodeBlueprint(kind: .directory, permissions: 0o755)

    /// As editors do.
    private func save() throws {
        guard let found = try pick(where: { $0.kind == .file }) else { return }
        let temporary = Name(".\(stamp.replacing(" ", with: "-")).tmp")!
        let new = content()
        let number = try make(Place(parent: found.parent, name: temporary), new)
        if entropy.chance(70) { try synchronize(number) }
        try rename(Place(parent: found.parent, name: temporary), to: Place(parent: found.parent, name: found.name))
    }

    /// Some names stay on each computer from now on, or do no more.
    private func setRules() throws {
        let place = Place(parent: .root, name: Name(".dbxfsignore")!)
        let rules = entropy.element(of: ["d", "e/", "d\ne", "*\n!a\n!b", "a/d", "!d", ""])
        let text = Array("# \(stamp) \(entropy.next())\n\(rules)\n".utf8)
        guard let known = try DirectoryReader(fileSystem).lookup(place.name, in: place.parent) else {
            return _ = try make(place, text)
        }
        guard known.kind == .file else { return }
        try atOneMoment {
            guard let old = oracle.content(of: known.number) else { return }
            try withOpen(known.number) { try write(text, over: old, to: known.number) }
        }
    }

    /// `dbxfs merge`: mostly of everything. What else is said of the mounted directory is like it.
    private func setMerging() throws {
        if entropy.chance(20) {
            let mode = entropy.element(of: [UInt16(0o700), 0o755])
            return _ = try fileSystem.setAttributes(of: .root, to: AttributeChange(permissions: mode))
        }
        let folder = entropy.chance(60) ? nil : try pick(where: { $0.kind == .directory })
        let choice: MergeRule.Choice = entropy.chance(80) ? .text : .off
        try fileSystem.setExtendedAttribute(
            MergeRule.attribute, of: folder?.attributes.number ?? .root, to: Array(choice.rawValue.utf8), mode: .any)
    }

    private func keepOpen() throws {
        guard let found = try pick(where: { $0.kind == .file }) else { return }
        let number = found.attributes.number
        let file = try fileSystem.open(number, options: .write, by: Self.caller)
        defer { fileSystem.release(file.handle) }
        for _ in 0..<1 + entropy.number(below: 3) {
            try atOneMoment {
                guard let old = oracle.content(of: number) else { return }
                try write(old + content().prefix(200), over: old, to: number, from: old.count)
            }
            sim_sleep(Duration.milliseconds(entropy.number(below: 4_000)).nanoseconds)
            if device.disk.isDead { return }
        }
    }

    // MARK: Durability

    private func synchronize() throws {
        guard let found = try pick(where: { $0.kind == .file }) else { return }
        try synchronize(found.attributes.number)
    }

    func synchronize(_ number: InodeNumber) throws {
        let mark = ledger.mark(of: device.name)
        let outcome = Monitor<Result<Void, Errno>?>(nil)
        fileSystem.synchronize(number) { result in outcome.update { $0 = result } }
        guard let result = outcome.wait(timeout: .seconds(100), until: { $0 }) else {
            throw Violation("\(device.name): an fsync has had no answer for 100 seconds")
        }
        try result.get()
        if !device.disk.isDead { ledger.becameDurable(device.name, upTo: mark) }
    }

    private func read() throws {
        guard let found = try pick(where: { $0.kind == .file }) else { return }
        _ = try FileReader(fileSystem).read(found.attributes.number)
    }
}
