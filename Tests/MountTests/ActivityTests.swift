import DbxTestKit
import Foundation
import Testing

extension MountTests {
    @Suite struct FetchedContents {
        private struct Record: Decodable {
            var direction: String
            var action: String
            var path: String
            var bytes: Int64
        }

        private func fetched(_ client: MountedClient) throws -> [Record] {
            let lines = try client.succeed(["activity", "--json", "-n", "1000"]).split(separator: "\n")
            let records = try lines.map { try JSONDecoder().decode(Record.self, from: Data($0.utf8)) }
            return records.filter { $0.direction == "fetched" }
        }

        @Test(.timeLimit(.minutes(3)))
        func `activity tells what programs fetched by reading, once`() throws {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here")
            try here.script("mkdir d; head -c 200000 /dev/urandom > d/far")
            try here.sync()
            let there = try MountedClient.mounted(on: server, name: "there")
            try there.script("cat d/far >/dev/null")
            try Shell.eventually("it is told") { try !fetched(there).isEmpty }
            try there.script("cat d/far >/dev/null")
            try there.script("echo x > d/mark")
            try there.sync()
            let records = try fetched(there)
            #expect(records.map(\.path) == ["d/far"] && records.map(\.action) == ["content"])
            #expect(records.first?.bytes == 200_000)
            #expect(try fetched(here).isEmpty)
        }
    }
}
