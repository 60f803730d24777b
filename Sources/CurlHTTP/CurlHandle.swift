internal import CCurl

/// One curl easy handle inside a multi handle of its own, which keeps the connection alive and can be woken.
///
/// Not Sendable but for `wake`. Every option call's answer is checked: an option that this libcurl does not know is a
/// programming error and traps.
@safe final class CurlHandle {
    let easy: UnsafeMutableRawPointer
    let multi: UnsafeMutableRawPointer
    /// `CURLOPT_ERRORBUFFER`; lives as long as the handle.
    private let errorText: UnsafeMutablePointer<CChar>

    /// curl_global_init(3) is called once, before the first handle.
    private static let globalInit: Void = {
        precondition(dbxfs_curl_global_init() == CURLE_OK, "libcurl cannot start")
    }()

    init() {
        Self.globalInit
        guard let easy = unsafe curl_easy_init(), let multi = unsafe curl_multi_init() else {
            fatalError("libcurl is out of memory")
        }
        unsafe self.easy = easy
        unsafe self.multi = multi
        unsafe errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        unsafe errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit {
        unsafe curl_easy_cleanup(easy)
        unsafe curl_multi_cleanup(multi)
        unsafe errorText.deallocate()
    }

    /// Back to the defaults; connections and sessions stay.
    func reset() {
        unsafe curl_easy_reset(easy)
        unsafe errorText[0] = 0
        unsafe set(CURLOPT_ERRORBUFFER, pointer: errorText)
    }

    func set(_ option: CURLoption, _ value: Int) {
        let code = unsafe dbxfs_curl_set_long(easy, option, value)
        precondition(code == CURLE_OK, "libcurl refuses option \(option.rawValue)")
    }

    /// False when curl refuses the value (a URL that is none).
    @discardableResult
    func set(_ option: CURLoption, _ value: String?) -> Bool {
        // curl copies strings.
        guard let value else { return unsafe dbxfs_curl_set_pointer(easy, option, nil) == CURLE_OK }
        return unsafe value.withCString { unsafe dbxfs_curl_set_pointer(easy, option, $0) } == CURLE_OK
    }

    func set(_ option: CURLoption, pointer: UnsafeRawPointer?) {
        let code = unsafe dbxfs_curl_set_pointer(easy, option, pointer)
        precondition(code == CURLE_OK, "libcurl refuses option \(option.rawValue)")
    }

    func set(_ option: CURLoption, size: Int) {
        let code = unsafe dbxfs_curl_set_size(easy, option, curl_off_t(size))
        precondition(code == CURLE_OK, "libcurl refuses option \(option.rawValue)")
    }

    func set(_ option: CURLoption, sink: @escaping curl_write_callback) {
        let code = unsafe dbxfs_curl_set_sink(easy, option, sink)
        precondition(code == CURLE_OK, "libcurl refuses option \(option.rawValue)")
    }

    func set(_ option: CURLoption, blob: [UInt8]) {
        let code = unsafe blob.withUnsafeBytes { unsafe dbxfs_curl_set_blob(easy, option, $0.baseAddress, $0.count) }
        precondition(code == CURLE_OK, "libcurl refuses option \(option.rawValue)")
    }

    /// Bytes of bodies that have gone in each direction in the current request.
    var transferredBytes: (received: Int, sent: Int) {
        var received: curl_off_t = 0
        var sent: curl_off_t = 0
        unsafe _ = dbxfs_curl_get_size(easy, CURLINFO_SIZE_DOWNLOAD_T, &received)
        unsafe _ = dbxfs_curl_get_size(easy, CURLINFO_SIZE_UPLOAD_T, &sent)
        return (received, sent)
    }

    /// Holds the request in both directions, or lets it go on. False when curl has failed over it.
    func setPaused(_ isPaused: Bool) -> Bool {
        unsafe curl_easy_pause(easy, isPaused ? CURLPAUSE_ALL : CURLPAUSE_CONT) == CURLE_OK
    }

    /// What curl says about the last failure.
    func message(for code: CURLcode) -> String {
        let detail = unsafe String(cString: errorText)
        return detail.isEmpty ? unsafe String(cString: curl_easy_strerror(code)) : detail
    }
}
