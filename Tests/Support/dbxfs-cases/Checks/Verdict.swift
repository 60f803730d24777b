import DbxModel

/// Whether a case ended as docs/SYNC.md promises.
struct Verdict {
    let plan: CasePlan
    let base: TreeImage
    let here: TreeImage
    let there: TreeImage
    /// At rest, by the name of the device.
    let after: [(name: String, image: TreeImage)]

    func check() throws {
        try checkAgreement()
        let end = after[0].image
        try checkThatNothingIsLost(in: end)
        try checkThatNothingIsMadeUp(in: end)
        try checkNames(in: end)
        try checkOneSided(end)
    }

    private func fail(_ kind: String, _ text: String) -> Violation { Violation(kind, text, of: plan.number) }

    private func checkAgreement() throws {
        for (name, image) in after.dropFirst() where image != after[0].image {
            let differences = image.changes(since: after[0].image).joined(separator: "; ")
            throw fail("differ", "\(name) shows, other than \(after[0].name): \(differences)")
        }
    }

    /// What one of the two wrote and still had, and what neither of them touched.
    private func checkThatNothingIsLost(in end: TreeImage) throws {
        let (before, left) = (base.files, end.contents)
        let (ours, theirs) = (here.files, there.files)
        for (name, image, other) in [("here", here, there), ("there", there, here)] {
            let places = image.names
            let others = other.names.values.reduce(into: Set()) { $0.formUnion($1) }
            for (id, content) in image.files where before[id] != content && !left.contains(content) {
                // Two empty files of one name are one, also where an edit of one of them follows.
                if content.isEmpty, !others.isDisjoint(with: places[id, default: []]) { continue }
                throw fail("lost", "“\(TreeImage.text(content))”, which \(name) wrote")
            }
        }
        let (names, ourNames, theirNames) = (base.names, here.names, there.names)
        for (id, content) in ours where theirs[id] == content && !left.contains(content) {
            // Each of the two may have taken away what the other one left: names are merged one by one.
            let wasLinked = names[id, default: []].count > 1
            if wasLinked, ourNames[id, default: []].isDisjoint(with: theirNames[id, default: []]) { continue }
            throw fail("lost", "“\(TreeImage.text(content))”, which both had")
        }
        for id in here.directories.intersection(there.directories).subtracting(end.directories) {
            throw fail("lost", "a directory that both had: \(id)")
        }
    }

    private func checkThatNothingIsMadeUp(in end: TreeImage) throws {
        for content in end.contents.subtracting(here.contents).subtracting(there.contents) {
            throw fail("made up", "“\(TreeImage.text(content))”, which neither had")
        }
    }

    private func checkNames(in end: TreeImage) throws {
        for path in end.items.keys {
            let name = path.split(separator: "/").last ?? ""
            guard name.ranges(of: TreeImage.mark).count < 2 else { throw fail("twice in conflict", path) }
        }
    }

    /// Who worked alone has all of it, and nothing else.
    private func checkOneSided(_ end: TreeImage) throws {
        for (idle, busy) in [(CasePlan.Part.here, there), (.there, here)]
        where plan.operations(of: idle).isEmpty && end != busy {
            let differences = end.changes(since: busy).joined(separator: "; ")
            throw fail(
                "changed by nobody", "only one worked, and the end differs from what that one had: \(differences)")
        }
    }
}
