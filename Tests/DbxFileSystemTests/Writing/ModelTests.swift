import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSystem
import Testing

/// Random operations against plain values that say what a file system is. A failure prints the seed that replays it.
@Suite(.timeLimit(.minutes(1))) struct ModelTests {
    @Test(arguments: 0..<6)
    func `random operations leave what the model says, before and after a restart`(_ run: Int) throws {
        let seed = UInt64.random(in: 0..<1 << 32) &+ UInt64(run)
        var random = SplitMix(state: seed)
        let fixture = try Fixture(cacheLimitBytes: 1 << 20)
        defer { fixture.close() }
        var model = Model()
        for step in 0..<400 {
            let what = try model.step(on: fixture, &random)
            if step % 50 == 49 { try check(model, fixture, "seed \(seed) step \(step) after \(what)") }
            if step == 250 { try fixture.restart() }
        }
        try check(model, fixture, "seed \(seed) at the end")
    }

    private func check(_ model: Model, _ fixture: Fixture, _ where: String) throws {
        let names = try fixture.names().dropFirst(2)
        #expect(Set(names) == Set(model.names.keys), "\(`where`)")
        for (name, file) in model.names {
            let number = try #require(try fixture.lookup(name)?.number, "\(`where`): \(name)")
            let attributes = try fixture.attributes(number)
            #expect(attributes.size == Int64(model.files[file]!.count), "\(`where`): size of \(name)")
            #expect(attributes.links == UInt32(model.names.values.count { $0 == file }), "\(`where`): links of \(name)")
            let bytes = try fixture.read(number)
            #expect(bytes == model.files[file]!, "\(`where`): content of \(name)")
        }
    }
}

/// Files by identity, and names that lead to them.
private struct Model {
    var names: [String: Int] = [:]
    var files: [Int: [UInt8]] = [:]
    private var last = 0

    mutating func step(on fixture: Fixture, _ random: inout SplitMix) throws -> String {
        let name = "n\(random.below(8))"
        guard let file = names[name] else { return try make(name, on: fixture, &random) }
        let number = try fixture.lookup(name)!.number
        switch random.below(12) {
        case 0...3: return try write(file, number, on: fixture, &random)
        case 4: return try truncate(file, number, on: fixture, &random)
        case 5: return try punch(file, number, on: fixture, &random)
        case 6: return try copy(file, number, on: fixture, &random)
        case 7:
            let other = "n\(random.below(8))"
            try fixture.rename(name, to: other)
            if names[other] != file { names[name] = nil }
            names[other] = file
            return "rename \(name) \(other)"
        case 8:
            let other = "n\(random.below(8))"
            guard names[other] == nil else { return "nothing" }
            _ = try fixture.fileSystem.link(number, as: Name(other)!, in: .root)
            names[other] = file
            return "link \(name) \(other)"
        case 9:
            try fixture.fileSystem.unlink(Name(name)!, in: .root)
            names[name] = nil
            return "unlink \(name)"
        case 10:
            let start = Int64(random.below(200_000))
            let part = start..<start + Int64(random.below(200_000) + 1)
            try fixture.fileSystem.fold(number, part)
            return "fold \(part)"
        default:
            try fixture.fileSystem.synchronizeEverything()
            return "sync"
        }
    }

    private mutating func make(_ name: String, on fixture: Fixture, _ random: inout SplitMix) throws -> String {
        last += 1
        names[name] = last
        if random.below(3) == 0 {
            let bytes = random.bytes(random.below(300_000) + 1)
            try fixture.makeRemoteFile(name, bytes)
            files[last] = bytes
            return "remote \(name)"
        }
        try fixture.makeFile(name)
        files[last] = []
        return "create \(name)"
    }

    private mutating func write(
        _ file: Int, _ number: InodeNumber, on fixture: Fixture, _ random: inout SplitMix
    ) throws -> String {
        let offset = random.below(300_000)
        let bytes = random.bytes(random.below(70_000) + 1)
        try fixture.write(bytes, to: number, at: Int64(offset))
        extend(file, to: offset + bytes.count)
        files[file]!.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        return "write \(offset) \(bytes.count)"
    }

    private mutating func truncate(
        _ file: Int, _ number: InodeNumber, on fixture: Fixture, _ random: inout SplitMix
    ) throws -> String {
        let size = random.below(350_000)
        _ = try fixture.fileSystem.setAttributes(of: number, to: AttributeChange(size: Int64(size)))
        extend(file, to: size)
        files[file]!.removeLast(files[file]!.count - size)
        return "truncate \(size)"
    }

    private mutating func punch(
        _ file: Int, _ number: InodeNumber, on fixture: Fixture, _ random: inout SplitMix
    ) throws -> String {
        let start = random.below(300_000)
        let end = start + random.below(100_000) + 1
        let grows = random.below(2) == 0
        try fixture.fileSystem.change(number, Int64(start)..<Int64(end), grows ? .zero(keepsSize: false) : .punch)
        if grows { extend(file, to: end) }
        let inside = min(start, files[file]!.count)..<min(end, files[file]!.count)
        files[file]!.replaceSubrange(inside, with: [UInt8](repeating: 0, count: inside.count))
        return "punch \(start) \(end) \(grows)"
    }

    private mutating func copy(
        _ file: Int, _ number: InodeNumber, on fixture: Fixture, _ random: inout SplitMix
    ) throws -> String {
        guard let (name, target) = names.sorted(by: { $0.key < $1.key }).first(where: { $0.value != file }) else {
            return "nothing"
        }
        let from = random.below(200_000)
        let to = random.below(200_000)
        let count = random.below(150_000) + 1
        let copied = try fixture.fileSystem.copyRange(
            from: number, at: Int64(from), to: fixture.lookup(name)!.number, at: Int64(to), count: count)
        let source = files[file]!
        let bytes = from < source.count ? Array(source[from..<min(from + count, source.count)]) : []
        #expect(copied == bytes.count)
        if !bytes.isEmpty {
            extend(target, to: to + bytes.count)
            files[target]!.replaceSubrange(to..<to + bytes.count, with: bytes)
        }
        return "copy \(from) \(to) \(count)"
    }

    private mutating func extend(_ file: Int, to size: Int) {
        let missing = size - files[file]!.count
        if missing > 0 { files[file]! += [UInt8](repeating: 0, count: missing) }
    }
}

private struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    mutating func bytes(_ count: Int) -> [UInt8] {
        let salt = next()
        return (0..<count).map { UInt8(truncatingIfNeeded: UInt64($0) &* salt >> 13) }
    }
}
