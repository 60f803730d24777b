/// What a test's helper could not do: a mistake in the test, or a store that is not as it must be.
package struct KitError: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
