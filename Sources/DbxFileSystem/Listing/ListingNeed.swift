package import DbxLocalStore
package import DbxModel
import DbxSystem

/// What has to be known before an operation on names can answer.
package enum ListingNeed: Hashable, Sendable {
    /// What the server has under the name.
    case name(Name, in: InodeNumber)
    /// Whether there is something in the directory with this name.
    case emptiness(of: Name, in: InodeNumber)
    /// What comes next in the directory.
    case entries(of: InodeNumber)
}

extension LocalStore {
    /// The directory to list for it; nil where what is known is enough.
    func directory(toKnow need: ListingNeed) throws -> InodeNumber? {
        switch need {
        case .name(let name, let parent):
            guard let directory = try node(parent), try lookup(parent, name) == nil else { return nil }
            return try knows(name, in: directory) ? nil : parent
        case .emptiness(let name, let parent):
            guard let child = try lookup(parent, name), child.knowledge == .partial else { return nil }
            return try isEmpty(child.number) ? child.number : nil
        case .entries(let directory):
            return try node(directory)?.knowledge == .partial ? directory : nil
        }
    }
}
