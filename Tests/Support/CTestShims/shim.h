#pragma once
// Linux calls that only tests make and that Swift's Glibc module does not import.
#include <errno.h>
#include <stddef.h>
#include <linux/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/xattr.h>
#include <unistd.h>

/// Gives the calling thread alone the ids of another user, for good: credentials are per thread in the kernel, and only
/// glibc's own functions change those of all threads.
static inline int dbxfs_test_become(uid_t uid, gid_t gid) {
    if (syscall(SYS_setgroups, 0, NULL) != 0) return -errno;
    if (syscall(SYS_setresgid, gid, gid, gid) != 0) return -errno;
    return syscall(SYS_setresuid, uid, uid, uid) == 0 ? 0 : -errno;
}

// Flags and calls that Glibc's headers hide without _GNU_SOURCE.
enum {
    dbxfs_test_o_direct = 040000,
    dbxfs_test_o_tmpfile = 020200000,
    dbxfs_test_seek_data = 3,
    dbxfs_test_seek_hole = 4,
    dbxfs_test_ofd_setlk = 37,
};

static inline int dbxfs_test_rename(const char *from, const char *to, unsigned flags) {
    const int here = -100 /* AT_FDCWD */;
    return (int)syscall(SYS_renameat2, here, from, here, to, flags);
}

static inline int dbxfs_test_fallocate(int file, int mode, long offset, long length) {
    return (int)syscall(SYS_fallocate, file, mode, offset, length);
}

static inline long dbxfs_test_copy(int source, long source_offset, int target, long target_offset, size_t count) {
    return syscall(SYS_copy_file_range, source, &source_offset, target, &target_offset, count, 0);
}

/// The mode of a file, as statx(2) tells who asks for nothing else; 0 where it fails.
static inline int dbxfs_test_mode(const char *path) {
    struct statx status;
    return syscall(SYS_statx, -100 /* AT_FDCWD */, path, 0, STATX_MODE, &status) == 0 ? status.stx_mode : 0;
}

/// fcntl(2) with a lock (struct flock) of `type` on `length` bytes from `start`; variadic functions do not import, and
/// with fcntl.h here `struct stat` would be this module's instead of Glibc's.
static inline int dbxfs_test_lock(int file, int command, short type, long start, long length) {
    struct { short type, whence; long start, length; int process; } lock = { type, 0, start, length, 0 };
    return (int)syscall(SYS_fcntl, file, command, &lock);
}
