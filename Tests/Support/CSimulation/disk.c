// Files whose changes are told of. They lie on a real file system in memory; what libc is asked to do with them is shown to
// the disk's hook first.
#define _GNU_SOURCE
#include "simulation.h"
#include "internal.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

struct disk {
    struct disk *next;
    char *directory;
    size_t length;
    sim_disk_hook hook;
    void *context;
};

struct open_file {
    struct disk *disk;
    char *path;
    uint64_t handle;
    int is_directory;
};

enum { most_files = 4096 };
static struct disk *disks;
static struct open_file files[most_files];
static uint64_t last_handle;

static struct disk *disk_of(const char *path) {
    if (!sim_is_inside()) return NULL;
    for (struct disk *each = disks; each; each = each->next)
        if (strncmp(path, each->directory, each->length) == 0
            && (path[each->length] == '/' || path[each->length] == 0)) return each;
    return NULL;
}

static const char *within(const struct disk *disk, const char *path) {
    return path[disk->length] ? path + disk->length : "/";
}

static struct open_file *file_of(int descriptor) {
    if (!sim_is_inside() || descriptor < 0 || descriptor >= most_files || !files[descriptor].disk) return NULL;
    return &files[descriptor];
}

static int ask(struct disk *disk, struct sim_operation operation) {
    int code = disk->hook(disk->context, &operation);
    if (code != 0) errno = code;
    return code;
}

void sim_watch(const char *directory, sim_disk_hook hook, void *context) {
    struct disk *disk = calloc(1, sizeof *disk);
    disk->directory = strdup(directory);
    disk->length = strlen(directory);
    disk->hook = hook;
    disk->context = context;
    disk->next = disks;
    disks = disk;
}

void sim_unwatch(const char *directory) {
    for (struct disk **link = &disks; *link; link = &(*link)->next) {
        struct disk *disk = *link;
        if (strcmp(disk->directory, directory) != 0) continue;
        *link = disk->next;
        for (int i = 0; i < most_files; i++)
            if (files[i].disk == disk) files[i].disk = NULL;
        free(disk->directory);
        free(disk);
        return;
    }
}

// MARK: Open and close

static void remember(int descriptor, struct disk *disk, const char *path, int is_directory) {
    if (descriptor < 0) return;
    if (descriptor >= most_files) abort();
    struct open_file *file = &files[descriptor];
    free(file->path);
    *file = (struct open_file){ disk, strdup(within(disk, path)), ++last_handle, is_directory };
}

static int open_watched(struct disk *disk, const char *path, int flags, mode_t mode) {
    struct stat status;
    int exists = lstat(path, &status) == 0;
    if (exists && (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) return errno = EEXIST, -1;
    if (!exists && !(flags & O_CREAT)) return errno = ENOENT, -1;
    int is_directory = exists && S_ISDIR(status.st_mode);
    struct sim_operation operation = {
        exists ? SIM_OPEN : SIM_CREATE, last_handle + 1, within(disk, path), "", 0, 0, NULL };
    if (!is_directory && ask(disk, operation) != 0) return -1;
    int is_cut = exists && (flags & O_TRUNC) && !is_directory;
    if (is_cut && ask(disk, (struct sim_operation){ SIM_SIZE, last_handle + 1, operation.path, "", 0, 0, NULL }) != 0)
        return -1;
    int descriptor = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    remember(descriptor, disk, path, is_directory);
    return descriptor;
}

int open(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    struct disk *disk = disk_of(path);
    if (disk) return open_watched(disk, path, flags, mode);
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return open(path, flags | O_LARGEFILE, mode);
}

int close(int descriptor) {
    struct open_file *file = file_of(descriptor);
    if (file) {
        if (!file->is_directory)
            file->disk->hook(
                file->disk->context, &(struct sim_operation){ SIM_CLOSE, file->handle, file->path, "", 0, 0, NULL });
        file->disk = NULL;
    } else if (descriptor >= 0 && descriptor < most_files) {
        files[descriptor].disk = NULL;
    }
    return (int)syscall(SYS_close, descriptor);
}

// MARK: Bytes and sizes

static int refuses(struct open_file *file, int kind, int64_t offset, int64_t length, const void *bytes) {
    return ask(file->disk, (struct sim_operation){ kind, file->handle, file->path, "", offset, length, bytes }) != 0;
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off64_t offset) {
    struct open_file *file = file_of(descriptor);
    if (file && refuses(file, SIM_WRITE, offset, (int64_t)count, bytes)) return -1;
    return syscall(SYS_pwrite64, descriptor, bytes, count, offset);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
    return pwrite64(descriptor, bytes, count, offset);
}

ssize_t write(int descriptor, const void *bytes, size_t count) {
    struct open_file *file = file_of(descriptor);
    if (file) {
        int64_t offset = syscall(SYS_lseek, descriptor, 0, SEEK_CUR);
        if (refuses(file, SIM_WRITE, offset, (int64_t)count, bytes)) return -1;
    }
    return syscall(SYS_write, descriptor, bytes, count);
}

int ftruncate64(int descriptor, off64_t size) {
    struct open_file *file = file_of(descriptor);
    if (file && refuses(file, SIM_SIZE, size, 0, NULL)) return -1;
    return (int)syscall(SYS_ftruncate, descriptor, size);
}

int ftruncate(int descriptor, off_t size) { return ftruncate64(descriptor, size); }

/// Not the one that stands before it here.
static long (*real_syscall(void))(long, ...) {
    static long (*real)(long, ...);
    if (!real) real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    return real;
}

/// Room is not taken: the real file system keeps its files in memory.
static int allocate(struct open_file *file, int descriptor, int mode, int64_t offset, int64_t length) {
    if (mode & FALLOC_FL_PUNCH_HOLE) {
        if (refuses(file, SIM_ZERO, offset, length, NULL)) return -1;
        return (int)real_syscall()(SYS_fallocate, descriptor, mode, offset, length);
    }
    struct stat status;
    if (mode & FALLOC_FL_KEEP_SIZE || fstat(descriptor, &status) != 0 || status.st_size >= offset + length) return 0;
    return ftruncate64(descriptor, offset + length);
}

int fallocate64(int descriptor, int mode, off64_t offset, off64_t length) {
    struct open_file *file = file_of(descriptor);
    if (file) return allocate(file, descriptor, mode, offset, length);
    return (int)syscall(SYS_fallocate, descriptor, mode, offset, length);
}

int fallocate(int descriptor, int mode, off_t offset, off_t length) {
    return fallocate64(descriptor, mode, offset, length);
}

int posix_fallocate64(int descriptor, off64_t offset, off64_t length) {
    return fallocate64(descriptor, 0, offset, length) == 0 ? 0 : errno;
}

int posix_fallocate(int descriptor, off_t offset, off_t length) {
    return posix_fallocate64(descriptor, offset, length);
}

static int synchronize(int descriptor, long number) {
    struct open_file *file = file_of(descriptor);
    if (!file) return (int)syscall(number, descriptor);
    return refuses(file, file->is_directory ? SIM_SYNC_DIRECTORY : SIM_SYNC, 0, 0, NULL) ? -1 : 0;
}

int fsync(int descriptor) { return synchronize(descriptor, SYS_fsync); }
int fdatasync(int descriptor) { return synchronize(descriptor, SYS_fdatasync); }

// MARK: Names

static int change_names(int kind, const char *path, const char *other, int exists_already) {
    struct disk *disk = disk_of(path);
    if (!disk) return 0;
    struct stat status;
    if ((lstat(path, &status) == 0) != exists_already) return 0;
    return ask(disk, (struct sim_operation){
        kind, 0, within(disk, path), other ? within(disk, other) : "", 0, 0, NULL });
}

int unlink(const char *path) {
    if (change_names(SIM_UNLINK, path, NULL, 1) != 0) return -1;
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int rmdir(const char *path) {
    if (change_names(SIM_RMDIR, path, NULL, 1) != 0) return -1;
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
}

int mkdir(const char *path, mode_t mode) {
    if (change_names(SIM_MKDIR, path, NULL, 0) != 0) return -1;
    return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

int rename(const char *path, const char *other) {
    if (change_names(SIM_RENAME, path, other, 1) != 0) return -1;
    return (int)syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, other, 0);
}

int link(const char *path, const char *other) {
    struct stat status;
    if (disk_of(other) && lstat(other, &status) == 0) return errno = EEXIST, -1;
    if (change_names(SIM_LINK, path, other, 1) != 0) return -1;
    return (int)syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, other, 0);
}

// MARK: Calls by number

/// Those that programs make without libc: a fallocate of a watched file, and random bytes.
long syscall(long number, ...) {
    va_list arguments;
    va_start(arguments, number);
    long a = va_arg(arguments, long), b = va_arg(arguments, long), c = va_arg(arguments, long);
    long d = va_arg(arguments, long), e = va_arg(arguments, long), f = va_arg(arguments, long);
    va_end(arguments);
    struct open_file *file = number == SYS_fallocate || number == SYS_sync_file_range ? file_of((int)a) : NULL;
    if (file) return number == SYS_fallocate ? allocate(file, (int)a, (int)b, c, d) : 0;
    if (number == SYS_getrandom && sim_is_inside()) {
        for (long i = 0; i < b; i++) ((uint8_t *)a)[i] = (uint8_t)sim_random();
        return b;
    }
    return real_syscall()(number, a, b, c, d, e, f);
}

// MARK: SQLite

int sqlite3_test_control(int, ...);
void sqlite3_randomness(int, void *);

void sim_seed_sqlite(uint32_t seed) {
    sqlite3_test_control(28 /* SQLITE_TESTCTRL_PRNG_SEED */, (int)(seed | 1), (void *)0);
    sqlite3_randomness(0, NULL);
}
