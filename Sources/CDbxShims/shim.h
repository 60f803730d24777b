#pragma once
// Linux calls that Swift's Glibc module does not import, each a static inline that returns -errno. Without _GNU_SOURCE:
// defining it here would give the system's types another shape than the Glibc module's.
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/// fallocate(2): the prototype needs _GNU_SOURCE.
static inline int dbxfs_fallocate(int fd, int mode, long long offset, long long length) {
    return syscall(SYS_fallocate, fd, mode, offset, length) == 0 ? 0 : -errno;
}

/// A pread(2) that fails with -EAGAIN where it would wait for the disk: preadv2(2) with RWF_NOWAIT.
// SYNC_FILE_RANGE_WRITE on the whole file.
static inline int dbxfs_start_writing(int fd) {
    return (int)syscall(SYS_sync_file_range, fd, 0LL, 0LL, 2) == 0 ? 0 : -errno;
}

static inline long dbxfs_pread_nowait(int fd, void *buffer, unsigned long length, long long offset) {
    struct iovec vector = { buffer, length };
    long n = syscall(SYS_preadv2, fd, &vector, 1, (long)offset, 0L, 0x00000008 /* RWF_NOWAIT */);
    return n >= 0 ? n : -errno;
}

/// Names the calling thread (prctl(2) PR_SET_NAME; the kernel keeps 15 bytes): pthread_setname_np needs _GNU_SOURCE.
static inline int dbxfs_set_thread_name(const char *name) {
    return syscall(SYS_prctl, 15 /* PR_SET_NAME */, name, 0L, 0L, 0L) == 0 ? 0 : -errno;
}

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of more bytes; `crc` is what the bytes before gave, 0 at the beginning.
static inline unsigned dbxfs_crc32c_portable(unsigned crc, const unsigned char *bytes, unsigned long count) {
    static const unsigned table[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
        0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    for (unsigned long i = 0; i < count; i++) {
        crc ^= bytes[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return crc;
}

#if defined(__x86_64__)
/// The product of two polynomials modulo that of CRC-32C, all with their bits reversed. `a` is not 0.
static inline unsigned dbxfs_crc32c_multiply(unsigned a, unsigned b) {
    unsigned product = 0;
    for (unsigned bit = 1U << 31;; bit >>= 1) {
        if (a & bit) {
            product ^= b;
            if ((a & (bit - 1)) == 0) return product;
        }
        b = b & 1 ? b >> 1 ^ 0x82f63b78 : b >> 1;
    }
}

/// The same by the processor's instruction, eight bytes at a time. Clang's builtins, because <nmmintrin.h> does not
/// import. Each instruction waits for the one before, so 64 KiB are done as four lanes of 16 KiB side by side, which are
/// then joined: a lane's state is moved over the 16 KiB behind it by multiplying it with x^(8 * 16384).
__attribute__((target("sse4.2")))
static inline unsigned dbxfs_crc32c_hardware(unsigned crc, const unsigned char *bytes, unsigned long count) {
    enum { lane = 16 << 10 };
    unsigned long long state = crc;
    for (; count >= 4 * lane; bytes += 4 * lane, count -= 4 * lane) {
        unsigned long long lanes[4] = { state, 0, 0, 0 };
        for (unsigned long i = 0; i < lane; i += 8) {
            for (int k = 0; k < 4; k++) {
                unsigned long long word;
                __builtin_memcpy(&word, bytes + k * lane + i, 8);
                lanes[k] = __builtin_ia32_crc32di(lanes[k], word);
            }
        }
        state = lanes[0];
        for (int k = 1; k < 4; k++) state = dbxfs_crc32c_multiply(0xbf455269, (unsigned)state) ^ lanes[k];
    }
    for (; count >= 8; bytes += 8, count -= 8) {
        unsigned long long word;
        __builtin_memcpy(&word, bytes, 8);
        state = __builtin_ia32_crc32di(state, word);
    }
    for (; count > 0; bytes++, count--) state = __builtin_ia32_crc32qi((unsigned)state, *bytes);
    return (unsigned)state;
}
#endif

static inline unsigned dbxfs_crc32c(unsigned crc, const void *bytes, unsigned long count) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) return ~dbxfs_crc32c_hardware(~crc, (const unsigned char *)bytes, count);
#endif
    return ~dbxfs_crc32c_portable(~crc, (const unsigned char *)bytes, count);
}

/// pipe2(2), as above.
static inline int dbxfs_pipe(int ends[2], int flags) {
    return syscall(SYS_pipe2, ends, flags) == 0 ? 0 : -errno;
}

/// accept4(2) without the peer's address, as above.
static inline int dbxfs_accept(int listener, int flags) {
    long n = syscall(SYS_accept4, listener, 0L, 0L, flags);
    return n >= 0 ? (int)n : -errno;
}

/// Marks every descriptor from `first` on to be closed on exec: close_range(2) with CLOSE_RANGE_CLOEXEC.
static inline int dbxfs_close_on_exec_from(unsigned first) {
    return syscall(SYS_close_range, first, ~0U, 4U) == 0 ? 0 : -errno;
}

/// A socket on which the kernel tells of changes of links, addresses and routes (rtnetlink(7)); reading it waits.
static inline int dbxfs_open_network_watch(void) {
    struct { unsigned short family, pad; unsigned pid, groups; } address = {
        16 /* AF_NETLINK */, 0, 0, 0x1 | 0x10 | 0x40 | 0x100 | 0x400, // RTMGRP_LINK, IPv4 and IPv6 addresses and routes
    };
    long fd = syscall(SYS_socket, 16L, 3L /* SOCK_RAW */ | 02000000L /* SOCK_CLOEXEC */, 0L /* NETLINK_ROUTE */);
    if (fd < 0) return -errno;
    if (syscall(SYS_bind, fd, &address, (long)sizeof address) == 0) return (int)fd;
    int error = errno;
    close((int)fd);
    return -error;
}

/// recvmsg(2): bytes, and in `*descriptor` the first file descriptor that came with them, -1 for none; others are closed.
static inline long dbxfs_receive(int socket, void *buffer, unsigned long length, int *descriptor) {
    struct iovec vector = { buffer, length };
    union { struct cmsghdr header; char bytes[CMSG_SPACE(16 * sizeof(int))]; } control;
    struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    *descriptor = -1;
    long n = syscall(SYS_recvmsg, socket, &message, 0x40000000 /* MSG_CMSG_CLOEXEC */);
    if (n < 0) return -errno;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != 1 /* SCM_RIGHTS */) continue;
        for (unsigned long at = 0; at + sizeof(int) <= part->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
            int received;
            memcpy(&received, CMSG_DATA(part) + at, sizeof received);
            if (*descriptor < 0) *descriptor = received; else close(received);
        }
    }
    return n;
}

/// A timer that never ends and becomes readable when the clock is set, which waking from a suspend does
/// (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET); reading it then fails with ECANCELED.
static inline int dbxfs_open_clock_watch(void) {
    struct { long long interval[2], value[2]; } never = { { 0, 0 }, { 0x7fffffff, 0 } };
    long fd = syscall(SYS_timerfd_create, 0L /* CLOCK_REALTIME */, 02000000L | 04000L /* TFD_CLOEXEC | TFD_NONBLOCK */);
    if (fd < 0) return -errno;
    if (syscall(SYS_timerfd_settime, fd, 3L /* TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET */, &never, 0L) == 0) return (int)fd;
    int error = errno;
    close((int)fd);
    return -error;
}
