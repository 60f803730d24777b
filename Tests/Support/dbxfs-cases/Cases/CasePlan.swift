import DbxTestKit

/// One case: what the two computers begin with, and what each of them then does. It follows from its number, each operation
/// by itself, so that one can be left out and the others stay the same.
struct CasePlan: Hashable {
    /// When an operation is done, and by whom.
    enum Part: String, CaseIterable {
        /// Before anything is in question; everybody has it.
        case base
        case here
        case there
    }

    struct Operation: Hashable, CustomStringConvertible {
        var part: Part
        var index: Int

        var description: String { "\(part.rawValue):\(index)" }
    }

    let number: UInt64
    private(set) var operations: [Operation]

    init(number: UInt64) {
        self.number = number
        let entropy = SeededEntropy(seed: Self.mixed(number))
        let counts = [
            (Part.base, 2 + entropy.number(below: 7)), (.here, entropy.number(below: 5)),
            (.there, entropy.number(below: 5)),
        ]
        operations = counts.flatMap { part, count in (0..<count).map { Operation(part: part, index: $0) } }
    }

    /// The name of the directory in which all of it happens.
    var name: String { "c\(number)" }

    /// Directories are made and moved, so that moves of both computers meet.
    var isAboutDirectories: Bool { number % 4 == 3 }

    func operations(of part: Part) -> [Operation] { operations.filter { $0.part == part } }

    func without(_ dropped: Set<Operation>) -> CasePlan {
        var plan = self
        plan.operations.removeAll { dropped.contains($0) }
        return plan
    }

    /// What the operation draws from.
    func entropy(of operation: Operation) -> SeededEntropy {
        let part = Part.allCases.firstIndex(of: operation.part) ?? 0
        return SeededEntropy(seed: Self.mixed(number) &+ UInt64(1 + part * 1_000 + operation.index))
    }

    /// Neighbours have nothing in common.
    private static func mixed(_ number: UInt64) -> UInt64 { SeededEntropy(seed: number).next() }
}

extension CasePlan.Operation {
    /// The words that `description` gives.
    init?(_ text: some StringProtocol) {
        let words = text.split(separator: ":")
        guard words.count == 2, let part = CasePlan.Part(rawValue: String(words[0])), let index = Int(words[1]) else {
            return nil
        }
        self.init(part: part, index: index)
    }
}
