import DbxLocalStore
import DbxModel
import DbxSyncKit
import DbxTestKit

/// Carries out the operations of a case in its directory.
struct CaseProgram {
    private let device: TestDevice
    private let plan: CasePlan
    private let root: InodeNumber
    private var store: LocalStore { device.store }

    init(_ plan: CasePlan, on device: TestDevice) throws {
        self.plan = plan
        self.device = device
        guard let directory = try device.store.lookup(.root, Name(plan.name)!) else {
            throw KitError("\(device.name) has no \(plan.name)")
        }
        root = directory.number
    }

    static func makeDirectory(of plan: CasePlan, on device: TestDevice) throws {
        let directory = NewNode(kind: .directory, mode: 0o755)
        _ = try device.store.create(directory, in: .root, Name(plan.name)!, now: device.moment())
    }

    func run(_ operation: CasePlan.Operation) throws {
        let entropy = plan.entropy(of: operation)
        var program = RandomProgram(device: device, entropy: entropy, root: root)
        // Each content tells where it comes from.
        program.contents = 1_000_000_000
        let choices = plan.isAboutDirectories ? 28 : 14
        switch entropy.number(below: choices) {
        case 14..<18: try program.makeDirectory()
        case 18...: try program.moveDirectory()
        case 0: try program.save()
        case 1: try program.removeTree()
        default: try program.step()
        }
    }

    func run(_ part: CasePlan.Part) throws { for operation in plan.operations(of: part) { try run(operation) } }
}
