internal import CCurl

/// A request's headers as curl wants them; freed with the object.
@safe final class HeaderList {
    private(set) var list: UnsafeMutablePointer<curl_slist>?

    init(_ request: HTTPRequest) {
        // "Name:" takes out what curl would add by itself: a form's content type, and waiting for 100 Continue.
        var lines = ["Expect:", "User-Agent: dbxfs"]
        if !request.headers.contains(where: { $0.name.lowercased() == "content-type" }) {
            lines.append("Content-Type:")
        }
        lines += request.headers.map { $0.value.isEmpty ? "\($0.name);" : "\($0.name): \($0.value)" }
        for line in lines { append(line) }
    }

    deinit { unsafe curl_slist_free_all(list) }

    private func append(_ line: String) {
        // curl copies the line; the list keeps its address but for the first.
        guard let longer = unsafe line.withCString({ unsafe curl_slist_append(list, $0) }) else {
            fatalError("libcurl is out of memory")
        }
        unsafe list = longer
    }

    /// curl sends what it is given: a line end in a header would begin another one.
    static func isValid(_ header: (name: String, value: String)) -> Bool {
        let isToken = header.name.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
            }
        }
        return isToken && !header.name.isEmpty && header.value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }
}
