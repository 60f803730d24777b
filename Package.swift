// swift-tools-version: 6.3
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

/// Tests may use C types and unsafe pointers freely; the rest of the rules hold.
let testing: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

func module(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource]? = nil) -> Target {
    .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: strict)
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies + ["DbxTestKit"], swiftSettings: testing)
}

let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let cryptoExtras: Target.Dependency = .product(name: "CryptoExtras", package: "swift-crypto")
let grdb: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let grdbSQLite: Target.Dependency = .product(name: "GRDBSQLite", package: "GRDB.swift")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")

let package = Package(
    name: "dbxfs",
    products: [
        .executable(name: "dbxfs", targets: ["dbxfs"]),
        .executable(name: "dbxfs-server", targets: ["dbxfs-server"]),
        // For tests, which load it before a program's other libraries.
        .library(name: "dbxfs-test-clock", type: .dynamic, targets: ["CTestClock"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // C libraries: a module map and static inline shims, each imported by exactly one module.
        .systemLibrary(name: "CFuse3", pkgConfig: "fuse3", providers: [.apt(["libfuse3-dev"])]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "CDbxShims"),
        .systemLibrary(name: "CSQLiteShims"),

        // Shared values, formats and safe wrappers.
        module("DbxModel", []),
        module("DbxWire", ["DbxModel"]),
        module("DbxSystem", ["CDbxShims", "DbxModel"]),
        module("Zstd", ["CZstd"]),
        module("DbxContent", ["DbxModel", "DbxWire", "Zstd", crypto]),

        // The client, from the network and the disk up to the mount.
        module("CurlHTTP", ["CCurl", "DbxModel"]),
        module("FuseLowLevel", ["CFuse3", "DbxModel"]),
        module("DbxClientAPI", ["DbxModel", "DbxWire", "CurlHTTP", "Zstd"]),
        module("DbxLocalStore", ["CSQLiteShims", "DbxModel", "DbxSystem", grdb, grdbSQLite]),
        module("DbxSync", ["DbxModel", "DbxWire", "DbxContent", "DbxLocalStore"]),
        module(
            "DbxTransfer",
            ["DbxModel", "DbxWire", "DbxContent", "DbxClientAPI", "CurlHTTP", "DbxLocalStore", "DbxSystem"]),
        module("DbxFileSystem", ["DbxModel", "DbxLocalStore", "DbxSystem"]),
        module("DbxMount", ["DbxModel", "DbxSystem", "DbxLocalStore", "DbxFileSystem", "FuseLowLevel"]),
        module(
            "DbxClient",
            [
                "DbxModel", "DbxWire", "DbxSystem", "DbxContent", "DbxLocalStore", "DbxClientAPI", "CurlHTTP",
                "DbxSync", "DbxTransfer", "DbxFileSystem", "DbxMount", "FuseLowLevel", crypto, logging,
            ]),
        program("dbxfs", ["DbxClient", "DbxClientAPI", "DbxModel", "DbxSystem", "DbxWire", arguments, logging]),

        // The server.
        module("DbxServerStores", ["DbxModel", "DbxSystem", grdb, grdbSQLite, crypto]),
        module(
            "DbxServerCore",
            ["DbxModel", "DbxWire", "DbxContent", "DbxSystem", "DbxServerStores", crypto, cryptoExtras]),
        module(
            "DbxServerHTTP",
            [
                "DbxModel", "DbxWire", "DbxSystem", "DbxServerCore", "Zstd", logging, crypto,
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdTLS", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "X509", package: "swift-certificates"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
            ]),
        program(
            "dbxfs-server", ["DbxServerHTTP", "DbxServerCore", "DbxModel", "DbxSystem", arguments]),

        // Tests.
        .systemLibrary(name: "CTestShims", path: "Tests/Support/CTestShims"),
        .executableTarget(
            name: "lossy-disk", path: "Tests/Support/lossy-disk",
            cSettings: [.define("_FILE_OFFSET_BITS", to: "64")],
            linkerSettings: [.linkedLibrary("fuse3")]),
        .target(name: "CTestClock", path: "Tests/Support/CTestClock"),
        .target(
            name: "DbxTestKit", dependencies: ["DbxModel", "DbxServerStores", "CTestShims", "lossy-disk"],
            path: "Tests/Support/DbxTestKit",
            swiftSettings: testing),
        .target(
            name: "DbxSyncKit",
            dependencies: [
                "DbxContent", "DbxLocalStore", "DbxModel", "DbxServerCore", "DbxSync", "DbxTestKit", "DbxWire", crypto,
            ],
            path: "Tests/Support/DbxSyncKit", swiftSettings: testing),
        .target(
            name: "CSimulation", path: "Tests/Support/CSimulation", linkerSettings: [.linkedLibrary("sqlite3")]),
        .executableTarget(
            name: "dbxfs-simulate",
            dependencies: [
                "CSimulation", "CurlHTTP", "DbxClient", "DbxClientAPI", "DbxContent", "DbxFileSystem", "DbxLocalStore",
                "DbxModel", "DbxServerCore", "DbxServerStores", "DbxSync", "DbxSystem", "DbxTestKit", "DbxTransfer",
                "DbxWire", arguments, crypto, logging,
            ],
            path: "Tests/Support/dbxfs-simulate", swiftSettings: testing),
        .executableTarget(
            name: "dbxfs-cases",
            dependencies: ["DbxLocalStore", "DbxModel", "DbxSyncKit", "DbxTestKit", arguments],
            path: "Tests/Support/dbxfs-cases", swiftSettings: testing),
        tests("DbxModelTests", ["DbxModel", "DbxWire"]),
        tests("DbxContentTests", ["DbxContent", "DbxModel", "DbxWire", "Zstd"]),
        tests("DbxLocalStoreTests", ["DbxLocalStore", "DbxModel", "DbxSystem"]),
        tests(
            "DbxSyncTests",
            [
                "DbxSync", "DbxSyncKit", "DbxLocalStore", "DbxModel", "DbxWire", "DbxContent", "DbxServerCore",
                "DbxSystem", crypto,
            ]),
        tests(
            "DbxTransferTests",
            [
                "DbxTransfer", "DbxClientAPI", "CurlHTTP", "DbxContent", "DbxLocalStore", "DbxModel", "DbxSystem",
                "DbxWire",
            ]),
        tests(
            "DbxClientTests",
            [
                "DbxClient", "DbxClientAPI", "CurlHTTP", "DbxContent", "DbxFileSystem", "DbxLocalStore", "DbxModel",
                "DbxSync", "DbxSystem", "DbxTransfer", "DbxWire", logging,
            ]),
        tests("FuseLowLevelTests", ["FuseLowLevel", "DbxModel", "CTestShims"]),
        tests(
            "DbxFileSystemTests",
            ["DbxFileSystem", "DbxMount", "DbxLocalStore", "DbxModel", "DbxSystem", "FuseLowLevel", "CTestShims"]),
        tests("ServerStoreTests", ["DbxServerStores", "DbxModel", crypto]),
        tests(
            "ServerCoreTests",
            ["DbxServerCore", "DbxServerStores", "DbxContent", "DbxModel", "DbxWire", "DbxSystem", crypto]),
        tests("ServerTests", ["DbxModel", "DbxWire", "Zstd", crypto]),
        tests("MountTests", ["DbxModel", "DbxWire"]),
        tests("ConformanceTests", ["CTestShims"]),
        tests("SimulationTests", []),
        tests("TidyTests", []),
    ]
)
