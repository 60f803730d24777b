#pragma once
// libcurl's option and info calls are variadic macros, which Swift does not import: one typed static inline for each
// kind of argument.
#include <curl/curl.h>

static inline CURLcode dbxfs_curl_global_init(void) { return curl_global_init(CURL_GLOBAL_ALL); }

static inline CURLcode dbxfs_curl_set_long(CURL *curl, CURLoption option, long value) {
    return (curl_easy_setopt)(curl, option, value);
}

/// Strings and pointers, callbacks' contexts and lists included; NULL sets the option back.
static inline CURLcode dbxfs_curl_set_pointer(CURL *curl, CURLoption option, const void *value) {
    return (curl_easy_setopt)(curl, option, value);
}

static inline CURLcode dbxfs_curl_set_size(CURL *curl, CURLoption option, curl_off_t value) {
    return (curl_easy_setopt)(curl, option, value);
}

/// CURLOPT_WRITEFUNCTION and CURLOPT_HEADERFUNCTION.
static inline CURLcode dbxfs_curl_set_sink(CURL *curl, CURLoption option, curl_write_callback callback) {
    return (curl_easy_setopt)(curl, option, callback);
}

/// curl copies the bytes.
static inline CURLcode dbxfs_curl_set_blob(CURL *curl, CURLoption option, const void *bytes, size_t count) {
    struct curl_blob blob = { (void *)bytes, count, CURL_BLOB_COPY };
    return (curl_easy_setopt)(curl, option, &blob);
}

static inline CURLcode dbxfs_curl_get_size(CURL *curl, CURLINFO info, curl_off_t *value) {
    return (curl_easy_getinfo)(curl, info, value);
}

static inline CURLcode dbxfs_curl_get_certinfo(CURL *curl, struct curl_certinfo **value) {
    return (curl_easy_getinfo)(curl, CURLINFO_CERTINFO, value);
}
