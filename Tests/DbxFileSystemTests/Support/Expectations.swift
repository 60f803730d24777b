import DbxSystem
import Testing

/// Expects that `body` fails with exactly this error.
func expect(_ error: Errno, sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void) {
    #expect(throws: error, sourceLocation: sourceLocation) { try body() }
}
