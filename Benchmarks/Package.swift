// swift-tools-version: 6.3
import PackageDescription

// A package of its own: it drives the built programs from outside and shares no code with them.
let package = Package(
    name: "dbxfs-benchmarks",
    targets: [
        // The baseline: what any FUSE file system without a cache of its own can reach at best.
        .executableTarget(
            name: "null-fs",
            cSettings: [.unsafeFlags(["-O2", "-Wall", "-Wextra"])],
            linkerSettings: [.linkedLibrary("fuse3"), .linkedLibrary("pthread")]),
        .executableTarget(
            name: "dbxbench",
            swiftSettings: [
                .swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny"), .treatAllWarnings(as: .error),
            ]),
    ]
)
