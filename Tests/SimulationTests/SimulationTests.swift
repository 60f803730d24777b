import DbxTestKit
import Foundation
import Testing

/// Runs `dbxfs-simulate` (`Tests/Support/dbxfs-simulate`): each seed is several clients, a server, their disks, networks
/// and clocks in one process.
@Suite("Whole systems from one seed", .serialized)
struct SimulationTests {
    /// The release program that `scripts/test` makes when it runs all tests.
    private static let release = ProcessInfo.processInfo.environment["DBXFS_SIMULATE"]

    private static func simulate(_ arguments: String..., limitSeconds: Int = 280) throws -> Shell.Output {
        let program = release ?? ServerProcess.productsDirectory + "/dbxfs-simulate"
        return try Shell.run([program] + arguments, limitSeconds: limitSeconds)
    }

    @Test("converge, lose nothing and come to rest", .timeLimit(.minutes(25)))
    func seeds() throws {
        let seeds = Self.release == nil ? "150" : "3000"
        let output = try Self.simulate("--from", "1", "--seeds", seeds, "--no-shrink", limitSeconds: 1_400)
        #expect(output.code == 0, "\(output.text)")
        #expect(output.text.contains("\(seeds) seeds, 0 failed"), "\(output.text)")
    }

    /// 311: a commit went out before an epoch covered that it was on its way. 2154: a file that was edited and removed here,
    /// and moved there, came back with the size it had here. 10257: what waited for a close came over a newer state. 10264, 20088: an edit whose other name went in the same pull was
    /// replaced. 20091: a new empty file was forgotten by the planner. 140: folders that were to be compared waited for a pull
    /// that nobody asked for. 160: what a restored server had lost was in the cache, but damaged. 20540: blocks that the server
    /// said it lacks counted as known for ever. 20550: nobody asked for what had lost its name here and been replaced there.
    /// 70390: what a listing could not say had ended was sent again and again.
    /// 71090: so were blocks that a file had kept of a lost one. 71210: what had no name left was born again. 71320: a link to a
    /// file that was not compared yet made its old content count as the server's. 72440, 72745, 72990: commits were refused for
    /// rows of which no pull told. 72925: so were names of a folder that the server had elsewhere, eleven times a second.
    /// 72930: attributes of a file that had lost its name here went before it was compared. 72795: the server's data were put
    /// back once more while this computer asked how far it knew its history. 1590: what was offered anew, and had been removed
    /// on the server since, was refused for ever. 2080: a folder that others had moved stood in two places while folders were
    /// compared, and removing it from one took it for gone. 302676: an edit was lost whose file had two names, one replaced here
    /// before the edit came, the other elsewhere after it. 194: what the guard had gathered and let go was not sent. 234: undo
    /// took the last name of what had been moved. 364: after it removals by others were never heard of. 2004: what was written
    /// to an open file after it was lost. 13154: so was what was written while the question for it was on its way. 11170: names in
    /// a folder that was known in part had a base that nobody knew, once the server's data had been put back. 15332: the
    /// server got a name by a commit under way that a rule kept here by then, and nobody took it away again. 17980: whoever asked
    /// for an epoch while the mount ended had no answer. 19374, 20064: undo took the name of what was worked on since it was asked
    /// for, and what others had made of a file that was removed after it went with that. 20920: a server
    /// that had lost a file and had it again gave it a new name, and the file was empty from then on. 2027: a name was replaced here before an edit came, and went up after
    /// others had taken the other name away: the edit was lost. 300044: undo gave something back in a folder that was itself
    /// removed, which nobody undid. 1548: attributes of a mounted directory that nobody had changed yet were refused for ever.
    /// After a server had been put back: 1300365 took parts of an older version for a file's content, 1303110 asked for folders
    /// without end that were in one that is gone, 1203425 showed names of one that was removed here until the next crawl. 1402730:
    /// after removals had been forgotten an edit that was never seen went with a folder that was removed offline. 1431837: two
    /// folders changed places while others moved one, and one had two names, refused for ever. 1441230: what lay in a new
    /// folder was not seen where something known had been moved into it. 1463143: a proxy had a refused commit taken later,
    /// and what it said became a conflicted copy of itself. 1464460: a file that was removed while its first commit was on
    /// its way came back empty, after the server had been put back. 1486030: no fault but the verdict's, which took a tree of
    /// which a part was being compared for the last word.
    @Test(
        "once failed, and do no more", .timeLimit(.minutes(2)),
        arguments: [
            140, 160, 250, 311, 1635, 2154, 10257, 10264, 20088, 20091, 20540, 20550, 70390, 71090, 71210, 71320,
            72440, 72745, 72795, 72925, 72930, 72990, 80000, 1590, 2080, 302_676,
            194, 234, 364, 2004, 13154, 11170, 15332, 17980, 19374, 20064, 20920, 2027, 300_044, 1548,
            1_300_365, 1_303_110, 1_203_425, 1_402_730, 1_431_837, 1_441_230, 1_463_143,
            1_464_460, 1_486_030,
        ])
    func namedSeeds(seed: Int) throws {
        let output = try Self.simulate("--seed", "\(seed)")
        #expect(output.code == 0, "\(output.text)")
    }

    @Test("go the same way twice", .timeLimit(.minutes(5)), arguments: [1, 218])
    func sameTwice(seed: Int) throws {
        let first = try Self.simulate("--seed", "\(seed)")
        let second = try Self.simulate("--seed", "\(seed)")
        #expect(first.text.hasPrefix("ok \(seed) "), "\(first.text)")
        #expect(first.text == second.text)
    }

    enum PlantedBug: String, CaseIterable {
        case databaseLogNotSynced, segmentsNotSynced, epochRecordNotSynced, serverLogNotSynced
        case pageAppliedEarly, tombstoneLost, commitNotKept
    }

    @Test("show a bug that was planted", .timeLimit(.minutes(5)), arguments: PlantedBug.allCases)
    func planted(bug: PlantedBug) throws {
        let output = try Self.simulate("--plant", bug.rawValue, "--seeds", "800", "--no-shrink")
        #expect(output.code == 3 && output.text.contains("replay: dbxfs-simulate"), "\(output.text)")
    }
}
