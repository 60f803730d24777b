import DbxFileSystem
import DbxLocalStore
import DbxModel
import Testing

/// Which events a pull's changes make for those who watch.
@Suite("Events of remote changes")
struct RemoteEventTests {
    private typealias Target = NameChange.Target

    private static func place(_ directory: UInt64, _ name: String) -> NamePlace {
        NamePlace(parent: InodeNumber(rawValue: directory), name: Name(Array(name.utf8))!)
    }

    private static func change(_ directory: UInt64, _ name: String, _ before: Target?, _ after: Target?) -> NameChange {
        let place = place(directory, name)
        return NameChange(parent: place.parent, name: place.name, before: before, after: after)
    }

    private let a = Target(number: InodeNumber(rawValue: 11), kind: .file)
    private let b = Target(number: InodeNumber(rawValue: 12), kind: .file)
    private let folder = Target(number: InodeNumber(rawValue: 13), kind: .directory)

    @Test("a new file is a creation and then an edit, a new folder a creation; times of folders are none")
    func creations() {
        let events = RemoteEvent.events(
            of: [Self.change(2, "a", nil, a), Self.change(2, "d", nil, folder)],
            [
                .content(a.number), .attributes(a.number), .attributes(InodeNumber(rawValue: 2)),
                .attributes(folder.number),
            ])
        #expect(
            events == [
                .created(a, at: Self.place(2, "a")), .created(folder, at: Self.place(2, "d")), .modified(a.number),
            ])
    }

    @Test("a node that leaves one name and takes another has moved, over what was there")
    func moves() {
        let events = RemoteEvent.events(
            of: [Self.change(2, "old", a, nil), Self.change(3, "new", b, a)], [.attributes(a.number)])
        #expect(events.first == .moved(a, from: Self.place(2, "old"), to: Self.place(3, "new"), over: b))
        #expect(events.dropFirst() == [.attributes(a.number)])
    }

    @Test("two names that were exchanged are two moves")
    func exchange() {
        let events = RemoteEvent.events(of: [Self.change(2, "x", a, b), Self.change(2, "y", b, a)], [])
        let (x, y) = (Self.place(2, "x"), Self.place(2, "y"))
        #expect(events == [.moved(b, from: y, to: x, over: a), .moved(a, from: x, to: y, over: b)])
    }

    @Test("a name that leads to a file which was nowhere before is an end and a beginning")
    func replacement() {
        let events = RemoteEvent.events(of: [Self.change(2, "x", a, b)], [])
        let x = Self.place(2, "x")
        #expect(events == [.removed(a, at: x), .created(b, at: x), .modified(b.number)])
    }

    @Test("a hard link is a creation, and the end of one name a removal")
    func links() {
        let link = RemoteEvent.events(of: [Self.change(2, "link", nil, a)], [.attributes(a.number)])
        #expect(link.first == .created(a, at: Self.place(2, "link")))
        let end = RemoteEvent.events(of: [Self.change(2, "link", a, nil)], [])
        #expect(end == [.removed(a, at: Self.place(2, "link"))])
    }
}
