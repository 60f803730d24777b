#pragma once
// Linux calls that Swift's Glibc module does not import, each a static inline that returns -errno.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/// fallocate(2): the prototype needs _GNU_SOURCE, which the Glibc module does not set.
static inline int dbxfs_fallocate(int fd, int mode, long long offset, long long length) {
    return syscall(SYS_fallocate, fd, mode, offset, length) == 0 ? 0 : -errno;
}

/// A pread(2) that fails with -EAGAIN where it would wait for the disk: preadv2(2) with RWF_NOWAIT.
static inline long dbxfs_pread_nowait(int fd, void *buffer, unsigned long length, long long offset) {
    struct iovec vector = { buffer, length };
    long n = syscall(SYS_preadv2, fd, &vector, 1, (long)offset, 0L, 0x00000008 /* RWF_NOWAIT */);
    return n >= 0 ? n : -errno;
}
