#pragma once
// SwiftPM drops the defines of pkg-config files, so they stand here.
// No feature macros: with them the C types would differ from those of Swift's Glibc module. off_t has 64 bits anyway.
#define FUSE_USE_VERSION 312
#include <fuse3/fuse_lowlevel.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <linux/stat.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// A worker that waits in read(2) on /dev/fuse is woken by a signal to that thread alone; its handler does nothing and
// it lacks SA_RESTART, so that the read ends with EINTR. A real-time signal, which no program uses by convention.
static inline int dbxfs_fuse_wake_signal(void) { return SIGRTMAX - 1; }

static void dbxfs_fuse_ignore_wake(int signal) { (void)signal; }

static inline int dbxfs_fuse_install_wake_signal(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = dbxfs_fuse_ignore_wake;
    return sigaction(dbxfs_fuse_wake_signal(), &action, NULL) == 0 ? 0 : -errno;
}

/// Leaves the calling thread with the wake-up signal alone: the program's signals go to its own threads.
static inline void dbxfs_fuse_take_only_wake_signal(void) {
    sigset_t set;
    sigfillset(&set);
    sigdelset(&set, dbxfs_fuse_wake_signal());
    pthread_sigmask(SIG_SETMASK, &set, NULL);
}

static inline void dbxfs_fuse_wake(pthread_t thread) { pthread_kill(thread, dbxfs_fuse_wake_signal()); }

/// prctl(2) is variadic and does not import.
static inline void dbxfs_fuse_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

// libfuse reports through one process-wide function that takes a va_list, which does not import. Its lines go to a
// thread-local buffer while one is set on the thread, else nowhere.
struct dbxfs_fuse_log { char *text; size_t capacity; };

// A variable outside a function is not emitted for Swift, and one inside is per object file: only FuseLog.swift uses it.
static inline struct dbxfs_fuse_log *dbxfs_fuse_log_here(void) {
    static __thread struct dbxfs_fuse_log log;
    return &log;
}

static inline void dbxfs_fuse_append_log(enum fuse_log_level level, const char *format, va_list arguments) {
    (void)level;
    struct dbxfs_fuse_log *log = dbxfs_fuse_log_here();
    if (log->text == NULL) return;
    size_t used = strlen(log->text);
    if (used + 1 < log->capacity) vsnprintf(log->text + used, log->capacity - used, format, arguments);
}

/// From now on libfuse's messages on this thread are appended to `text`, a C string; NULL drops them.
static inline void dbxfs_fuse_capture_log(char *text, size_t capacity) {
    struct dbxfs_fuse_log *log = dbxfs_fuse_log_here();
    log->text = text;
    log->capacity = capacity;
    fuse_set_log_func(dbxfs_fuse_append_log);
}

/// The text of an errno value, which strerror(3) cannot give thread-safely.
static inline void dbxfs_fuse_describe(int code, char *text, size_t capacity) {
    if (strerror_r(code, text, capacity) != 0) snprintf(text, capacity, "error %d", code);
}

/// pipe2(2) with O_CLOEXEC, whose prototype needs _GNU_SOURCE.
static inline int dbxfs_fuse_pipe(int ends[2]) {
    return syscall(SYS_pipe2, ends, O_CLOEXEC) == 0 ? 0 : -errno;
}

/// socketpair(2) with SOCK_CLOEXEC, whose type is an enumeration in Swift.
static inline int dbxfs_fuse_socket_pair(int ends[2]) {
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0 ? 0 : -errno;
}

/// The descriptor that fusermount3 sends over `socket`, close-on-exec, or -1 when it sent none. CMSG_* are macros.
static inline int dbxfs_fuse_receive_descriptor(int socket) {
    char byte;
    struct iovec vector = { &byte, 1 };
    union { struct cmsghdr header; char space[CMSG_SPACE(sizeof(int))]; } control;
    struct msghdr message;
    memset(&message, 0, sizeof message);
    memset(&control, 0, sizeof control);
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    ssize_t count;
    do count = recvmsg(socket, &message, MSG_CMSG_CLOEXEC); while (count < 0 && errno == EINTR);
    if (count <= 0) return -1;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header == NULL || header->cmsg_type != SCM_RIGHTS) return -1;
    int descriptor;
    memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
    return descriptor;
}

/// The number of the connection under /sys/fs/fuse/connections that serves the mount at `path`, or -errno. It asks the
/// file system nothing (AT_STATX_DONT_SYNC), because nobody may be serving it.
static inline long dbxfs_fuse_connection_number(const char *path) {
    struct statx value;
    const int flags = 0x800 /* AT_NO_AUTOMOUNT */ | 0x4000 /* AT_STATX_DONT_SYNC */;
    if (syscall(SYS_statx, -100 /* AT_FDCWD */, path, flags, STATX_TYPE, &value) != 0) return -errno;
    return value.stx_dev_major == 0 ? (long)value.stx_dev_minor : -EINVAL;
}
