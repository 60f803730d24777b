import Foundation

/// What curl gets from the same server over one connection: the blocks of an account, one request each.
enum CurlBaseline {
    /// MB/s over blocks worth `bytes` at least, or all there are.
    static func measure(_ pair: DbxPair, bytes: Int, at url: String? = nil) throws -> Double {
        let url = url ?? pair.url
        let login = try json(
            curl(
                ["--data-binary", "@-", "-H", "Content-Type: application/json", url + "/v1/login"],
                input: text(["user": DbxPair.user, "password": DbxPair.password, "device": "curl"])))
        guard let token = login["token"] as? String else { throw Failure("login by curl gave no token") }
        let authorization = ["-H", "Authorization: Bearer \(token)"]
        let session = try json(curl(authorization + [url + "/v1/session"]))
        guard let namespace = session["root"] as? String else { throw Failure("the session names no namespace") }
        let base = "\(url)/v1/namespaces/\(namespace)"
        let blocks = try newestBlocks(base, authorization, count: bytes / (1 << 20))
        let list = pair.root + "/urls"
        let lines = blocks.map { "url = \"\(base)/blocks/\($0)\"\noutput = \"/dev/null\"" }
        try File.write(Array(lines.joined(separator: "\n").utf8), to: list)
        defer { unlink(list) }
        var sizes = ""
        let seconds = try time {
            sizes = try curl(authorization + ["--config", list, "--write-out", "%{size_download}\\n"])
        }
        let total = sizes.split(separator: "\n").compactMap { Double($0) }.reduce(0, +)
        return total / seconds / 1e6
    }

    private static func curl(_ words: [String], input: String = "") throws -> String {
        try Command.run(["curl", "--silent", "--show-error", "--fail"] + words, input: input)
    }

    private static func text(_ object: [String: String]) throws -> String {
        String(decoding: try JSONSerialization.data(withJSONObject: object), as: UTF8.self)
    }

    private static func json(_ text: String) throws -> [String: Any] {
        guard let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] else {
            throw Failure("no JSON object: \(text.prefix(200))")
        }
        return object
    }

    /// The ids of the last blocks that came into the namespace, of which a big file's are up to 4 MiB each.
    private static func newestBlocks(_ base: String, _ authorization: [String], count: Int) throws -> [String] {
        var blocks: [String] = []
        var cursor: String?
        while true {
            let query = cursor.map {
                "?cursor=" + ($0.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? $0)
            }
            let page = try json(curl(authorization + [base + "/changes" + (query ?? "")]))
            blocks += (page["blocks"] as? [[String: Any]] ?? []).compactMap { $0["id"] as? String }
            guard page["complete"] as? Bool == false, let next = page["cursor"] as? String, next != cursor else {
                break
            }
            cursor = next
        }
        guard !blocks.isEmpty else { throw Failure("the namespace has no blocks") }
        return blocks.suffix(max(1, count))
    }
}
