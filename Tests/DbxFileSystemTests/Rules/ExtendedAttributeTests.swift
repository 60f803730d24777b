import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSystem
import Testing

@Suite struct ExtendedAttributeTests {
    private let user = Array("user.x".utf8)

    @Test func `values are set, replaced, listed and removed`() throws {
        try withFixture { fixture in
            let files = fixture.fileSystem
            let number = try fixture.makeFile("f")
            expect(.noData) { _ = try files.extendedAttribute(user, of: number) }
            expect(.noData) { try files.setExtendedAttribute(user, of: number, to: [1], mode: .replace) }
            let before = try fixture.attributes(number)
            try files.setExtendedAttribute(user, of: number, to: [1, 0, 2], mode: .create)
            let after = try fixture.attributes(number)
            #expect(after.changeTime > before.changeTime && after.modificationTime == before.modificationTime)
            expect(.fileExists) { try files.setExtendedAttribute(user, of: number, to: [1], mode: .create) }
            try files.setExtendedAttribute(Array("user.a".utf8), of: number, to: [], mode: .any)
            #expect(try files.extendedAttribute(user, of: number) == [1, 0, 2])
            #expect(try files.extendedAttributeNames(of: number, by: fixture.caller) == Array("user.a\0user.x\0".utf8))
            try files.removeExtendedAttribute(user, of: number)
            expect(.noData) { try files.removeExtendedAttribute(user, of: number) }
        }
    }

    @Test func `classes that are not kept are refused, and a class alone is no name`() throws {
        try withFixture { fixture in
            let files = fixture.fileSystem
            let number = try fixture.makeFile("f")
            for name in ["system.posix_acl_access", "system.x", "other.x", "security.selinux"] {
                let name = Array(name.utf8)
                expect(.notSupported) { try files.setExtendedAttribute(name, of: number, to: [1], mode: .any) }
                expect(.notSupported) { _ = try files.extendedAttribute(name, of: number) }
            }
            expect(.invalidArgument) {
                try files.setExtendedAttribute(Array("user.".utf8), of: number, to: [1], mode: .any)
            }
        }
    }

    @Test func `security attributes stay here, make nothing dirty, and survive a restart`() throws {
        try withFixture { fixture in
            let number = try fixture.makeFile("f")
            let name = Array("security.label".utf8)
            let before = try fixture.shared.withStore { store in try store.node(number)?.change }
            expect(.noData) { _ = try fixture.fileSystem.extendedAttribute(name, of: number) }
            try fixture.fileSystem.setExtendedAttribute(name, of: number, to: [7], mode: .create)
            #expect(try fixture.shared.withStore { store in try store.node(number)?.change } == before)
            try fixture.restart()
            #expect(try fixture.fileSystem.extendedAttribute(name, of: number) == [7])
            #expect(
                try fixture.fileSystem.extendedAttributeNames(of: number, by: fixture.caller) == name + [0])
            try fixture.fileSystem.removeExtendedAttribute(name, of: number)
            try fixture.restart()
            expect(.noData) { _ = try fixture.fileSystem.extendedAttribute(name, of: number) }
        }
    }

    @Test func `sizes have their limits`() throws {
        try withFixture { fixture in
            let files = fixture.fileSystem
            let number = try fixture.makeFile("f")
            expect(.argumentListTooLong) {
                try files.setExtendedAttribute(
                    user, of: number, to: [UInt8](repeating: 0, count: 65_537), mode: .any)
            }
            expect(.outOfRange) {
                try files.setExtendedAttribute(
                    user + [UInt8](repeating: 0x61, count: 250), of: number, to: [], mode: .any)
            }
            let large = [UInt8](repeating: 7, count: 65_536)
            for index in 0..<3 {
                try files.setExtendedAttribute(user + [0x30 + UInt8(index)], of: number, to: large, mode: .any)
            }
            expect(.noSpace) { try files.setExtendedAttribute(user, of: number, to: large, mode: .any) }
        }
    }
}
