#pragma once
// Linux calls that only tests make and that Swift's Glibc module does not import.
#include <errno.h>
#include <stddef.h>
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
