internal import CFuse3
internal import Glibc

// Safe throughout: libfuse copies what the pointers lead to before its reply functions return.

extension FuseReply where Kind == FuseResult.None {
    package consuming func succeed() { request.fail(0) }
}

extension FuseReply where Kind == FuseResult.Entry {
    package consuming func succeed(_ entry: FuseEntry) {
        var value = entry.cValue
        unsafe request.answer { request in unsafe fuse_reply_entry(request, &value) }
    }
}

extension FuseReply where Kind == FuseResult.Attributes {
    package consuming func succeed(_ attributes: FuseAttributes, timeoutSeconds: Double) {
        var value = attributes.cValue
        unsafe request.answer { request in unsafe fuse_reply_attr(request, &value, timeoutSeconds) }
    }
}

extension FuseReply where Kind == FuseResult.Link {
    /// `target` holds no zero byte.
    package consuming func succeed(_ target: [UInt8]) {
        request.succeed(target)
    }
}

extension FuseReply where Kind == FuseResult.Open {
    package consuming func succeed(_ opened: FuseOpened) {
        var value = opened.cValue
        unsafe request.answer { request in unsafe fuse_reply_open(request, &value) }
    }
}

extension FuseReply where Kind == FuseResult.Create {
    package consuming func succeed(_ entry: FuseEntry, _ opened: FuseOpened) {
        var value = entry.cValue
        var info = opened.cValue
        unsafe request.answer { request in unsafe fuse_reply_create(request, &value, &info) }
    }
}

extension FuseReply where Kind == FuseResult.Write {
    package consuming func succeed(count: Int) {
        unsafe request.answer { request in unsafe fuse_reply_write(request, count) }
    }
}

extension FuseReply where Kind == FuseResult.Statistics {
    package consuming func succeed(_ statistics: FuseStatistics) {
        var value = statistics.cValue
        unsafe request.answer { request in unsafe fuse_reply_statfs(request, &value) }
    }
}

extension FuseReply where Kind == FuseResult.Seek {
    package consuming func succeed(offset: Int64) {
        unsafe request.answer { request in unsafe fuse_reply_lseek(request, numericCast(offset)) }
    }
}
