import DbxModel
import DbxServerCore
import DbxTestKit
import DbxWire
import Testing

/// What clients are told while the server's disk takes nothing, and that it goes on by itself.
@Suite("A server whose disk is full, fails or is read-only")
struct FailingDiskTests {
    @Test(
        "refuses what changes something, serves what it has, and takes all when the disk does", .timeLimit(.minutes(1)),
        arguments: [(LossyDisk.Fault.noSpace, ProblemKind.storageFull), (.readOnly, .unavailable)])
    func refusals(fault: LossyDisk.Fault, kind: ProblemKind) throws {
        let disk = try LossyDisk()
        let time = FakeTime()
        let fixture = try TestServer(
            dataDirectory: disk.path + "/data", time: time, entropy: SeededEntropy(seed: 1))
        let device = try fixture.newDevice()
        let file = try device.makeFile("before")
        let packed = device.block(9_000)
        _ = try device.grant(packed)
        let offered = device.block()
        let signed = try #require(device.grant(offered).upload)
        let folder = device.node(.directory)
        let request = device.request([folder], [device.entry(device.root, "after", folder.id)])
        try disk.fail(fault)

        time.advance(by: .seconds(120))
        #expect(problem { try device.send(request) } == kind)
        #expect(problem { try device.put(offered.stored, to: signed) } == kind)
        let frames = device.frames([packed])
        #expect(
            problem { _ = try fixture.server.storePack(device.caller, namespace: device.namespace, frames) } == kind)
        #expect(problem { try fixture.server.checkReady() } == kind)
        // Who the device is is known without a place to note when it was seen.
        let caller = try fixture.server.authenticate(token: device.token)
        #expect(try device.names() == ["before"])
        let block = try fixture.server.readBlock(caller, namespace: device.namespace, block: file.block.id)
        var bytes = [UInt8](repeating: 0, count: Int(block.bytes))
        try bytes.withUnsafeMutableBytes { try block.read(into: $0, offset: 0) }
        #expect(bytes == file.block.stored)

        try disk.fail(.none)
        try device.send(request)
        try device.put(offered.stored, to: signed)
        #expect(try fixture.server.storePack(device.caller, namespace: device.namespace, frames).stored == [true])
        try fixture.server.checkReady()
        #expect(try device.names() == ["after", "before"])
        #expect(try fixture.server.check().isSound)
    }
}
