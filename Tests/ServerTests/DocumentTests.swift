import DbxTestKit
import DbxWire
import Foundation
import Testing

@Suite(.timeLimit(.minutes(1)))
struct DocumentTests {
    @Test func `the document has every route and no other`() throws {
        let api = try API(try ServerProcess.start())
        let paths = try #require(api.document["paths"] as? [String: [String: Any]])
        #expect(Set(paths.keys) == Set(Route.allCases.map(\.rawValue)))
    }

    @Test func `every method that a route takes is in the document, and every other is refused`() throws {
        let api = try API(try ServerProcess.start())
        let paths = try #require(api.document["paths"] as? [String: [String: Any]])
        let id = String(repeating: "0", count: 32)
        for route in Route.allCases {
            let path = route.rawValue.replacing("{block}", with: id + id)
                .replacing(try Regex("\\{[a-z]+\\}"), with: id)
            for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
                let documented = paths[route.rawValue]?[method.lowercased()] != nil
                let answer = try RawHTTP(port: api.server.port, seconds: 5).request(method, path)
                #expect((answer.status == 405) == !documented, "\(method) \(route) \(answer.status)")
                api.check(answer, method, route)
                if answer.status == 405 {
                    let allowed = Set(answer.headers["allow"]?.components(separatedBy: ", ") ?? []).subtracting(["HEAD"]
                    )
                    let known = Set(paths[route.rawValue]?.keys.map { $0.uppercased() } ?? []).subtracting([
                        "PARAMETERS"
                    ])
                    #expect(allowed == known)
                }
            }
        }
    }

    @Test func `every reference in the document leads somewhere and every operation has one name`() throws {
        let api = try API(try ServerProcess.start())
        let schema = JSONSchema(document: api.document)
        var names: [String] = []
        func visit(_ value: Any) {
            if let object = value as? [String: Any] {
                if let reference = object["$ref"] as? String {
                    #expect(schema.resolve(reference) != nil, "\(reference)")
                }
                if let name = object["operationId"] as? String { names.append(name) }
                object.values.forEach(visit)
            } else if let list = value as? [Any] {
                list.forEach(visit)
            }
        }
        visit(api.document)
        #expect(Set(names).count == names.count)
        #expect(names.count >= Route.allCases.count)
    }
}
