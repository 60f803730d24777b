#pragma once
// Linux calls that Swift's Glibc module does not import, each a static inline that returns -errno. Without _GNU_SOURCE:
// defining it here would give the system's types another shape than the Glibc module's.
#include <errno.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/// fallocate(2): the prototype needs _GNU_SOURCE.
static inline int dbxfs_fallocate(int fd, int mode, long long offset, long long length) {
    return syscall(SYS_fallocate, fd, mode, offset, length) == 0 ? 0 : -errno;
}

/// A pread(2) that fails with -EAGAIN where it would wait for the disk: preadv2(2) with RWF_NOWAIT.
static inline long dbxfs_pread_nowait(int fd, void *buffer, unsigned long length, long long offset) {
    struct iovec vector = { buffer, length };
    long n = syscall(SYS_preadv2, fd, &vector, 1, (long)offset, 0L, 0x00000008 /* RWF_NOWAIT */);
    return n >= 0 ? n : -errno;
}

/// Names the calling thread (prctl(2) PR_SET_NAME; the kernel keeps 15 bytes): pthread_setname_np needs _GNU_SOURCE.
static inline int dbxfs_set_thread_name(const char *name) {
    return syscall(SYS_prctl, 15 /* PR_SET_NAME */, name, 0L, 0L, 0L) == 0 ? 0 : -errno;
}
