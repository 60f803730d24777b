// A disk for tests: a file system that keeps its files in a directory and writes down, in order, every change and every
// sync that programs ask of it. From that trace a test builds what a power cut could have left (DbxTestKit,
// SimulatedDisk). It can be told to fail.
//
//     lossy-disk DIRECTORY TRACE MOUNT-POINT [libfuse options]
//
// Stays in the foreground, on one thread, so that the trace has one order. Reads are not traced. What is mapped is read
// and written back by the kernel as usual. Setting the extended attribute `user.fault` of the root directory to
// "ERRNO-NAME BYTES" (ENOSPC, EIO, EROFS) lets every change fail so after that many more bytes; to "none" ends it.
// With EIO syncs fail too.

#define FUSE_USE_VERSION 314
#define _GNU_SOURCE

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

// The trace: records of this header, two paths and data, in the machine's byte order. The numbers stand in
// DiskTrace.swift too.
enum operation {
    op_open = 1, op_create, op_write, op_size, op_zero, op_sync, op_mkdir, op_unlink, op_rmdir, op_rename, op_link,
    op_syncdir, op_close
};

struct header {
    uint64_t operation;
    uint64_t handle;
    int64_t offset;
    int64_t length;
    uint32_t path_bytes;
    uint32_t other_path_bytes;
    uint64_t data_bytes;
};

static int root;
static int trace;
static int fault;
static int64_t bytes_until_fault;

static const char *below(const char *path) { return path[1] ? path + 1 : "."; }

static void note(enum operation operation, uint64_t handle, int64_t offset, int64_t length, const char *path,
                 const char *other, const void *data, size_t data_bytes) {
    struct header header = {operation, handle, offset, length, path ? strlen(path) : 0, other ? strlen(other) : 0,
                            data_bytes};
    struct iovec parts[] = {{&header, sizeof header},
                            {(void *)path, header.path_bytes},
                            {(void *)other, header.other_path_bytes},
                            {(void *)data, data_bytes}};
    ssize_t whole = sizeof header + header.path_bytes + header.other_path_bytes + data_bytes;
    if (writev(trace, parts, 4) != whole) {
        perror("lossy-disk: the trace cannot be written");
        abort();
    }
}

// 0, or the error that a change of this many bytes fails with.
static int changing(size_t bytes) {
    if (!fault) return 0;
    if (bytes_until_fault >= (int64_t)bytes && bytes_until_fault > 0) {
        bytes_until_fault -= bytes;
        return 0;
    }
    bytes_until_fault = 0;
    return -fault;
}

static int result(int code) { return code == -1 ? -errno : code; }

static int disk_getattr(const char *path, struct stat *answer, struct fuse_file_info *file) {
    if (file) return result(fstat(file->fh, answer));
    return result(fstatat(root, below(path), answer, AT_SYMLINK_NOFOLLOW));
}

static int disk_mkdir(const char *path, mode_t mode) {
    int code = changing(0);
    if (!code) code = result(mkdirat(root, below(path), mode));
    if (!code) note(op_mkdir, 0, 0, 0, path, NULL, NULL, 0);
    return code;
}

static int disk_unlink(const char *path) {
    int code = changing(0);
    if (!code) code = result(unlinkat(root, below(path), 0));
    if (!code) note(op_unlink, 0, 0, 0, path, NULL, NULL, 0);
    return code;
}

static int disk_rmdir(const char *path) {
    int code = changing(0);
    if (!code) code = result(unlinkat(root, below(path), AT_REMOVEDIR));
    if (!code) note(op_rmdir, 0, 0, 0, path, NULL, NULL, 0);
    return code;
}

static int disk_rename(const char *from, const char *to, unsigned int flags) {
    if (flags & ~RENAME_NOREPLACE) return -EINVAL;
    int code = changing(0);
    if (!code) code = result(renameat2(root, below(from), root, below(to), flags));
    if (!code) note(op_rename, 0, 0, 0, from, to, NULL, 0);
    return code;
}

static int disk_link(const char *from, const char *to) {
    int code = changing(0);
    if (!code) code = result(linkat(root, below(from), root, below(to), 0));
    if (!code) note(op_link, 0, 0, 0, from, to, NULL, 0);
    return code;
}

static int disk_chmod(const char *path, mode_t mode, struct fuse_file_info *file) {
    if (file) return result(fchmod(file->fh, mode));
    return result(fchmodat(root, below(path), mode, 0));
}

static int disk_utimens(const char *path, const struct timespec times[2], struct fuse_file_info *file) {
    if (file) return result(futimens(file->fh, times));
    return result(utimensat(root, below(path), times, AT_SYMLINK_NOFOLLOW));
}

static int disk_truncate(const char *path, off_t size, struct fuse_file_info *file) {
    int code = changing(0);
    if (code) return code;
    if (file) {
        code = result(ftruncate(file->fh, size));
    } else {
        int descriptor = openat(root, below(path), O_WRONLY | O_CLOEXEC);
        if (descriptor == -1) return -errno;
        code = result(ftruncate(descriptor, size));
        close(descriptor);
    }
    if (!code) note(op_size, file ? file->fh : 0, size, 0, file ? NULL : path, NULL, NULL, 0);
    return code;
}

static int opened(const char *path, int flags, mode_t mode, struct fuse_file_info *file) {
    struct stat before;
    int existed = fstatat(root, below(path), &before, 0) == 0;
    int code = !existed || flags & O_TRUNC ? changing(0) : 0;
    if (code) return code;
    // Reads of the kernel's cache need a descriptor that reads, whatever the program asked for.
    int descriptor = openat(root, below(path), (flags & ~(O_ACCMODE | O_APPEND | O_DIRECT)) | O_RDWR | O_CLOEXEC, mode);
    if (descriptor == -1) return -errno;
    file->fh = descriptor;
    note(existed ? op_open : op_create, descriptor, 0, 0, path, NULL, NULL, 0);
    if (existed && flags & O_TRUNC) note(op_size, descriptor, 0, 0, NULL, NULL, NULL, 0);
    return 0;
}

static int disk_open(const char *path, struct fuse_file_info *file) { return opened(path, file->flags, 0, file); }

static int disk_create(const char *path, mode_t mode, struct fuse_file_info *file) {
    return opened(path, file->flags | O_CREAT, mode, file);
}

static int disk_release(const char *path, struct fuse_file_info *file) {
    (void)path;
    note(op_close, file->fh, 0, 0, NULL, NULL, NULL, 0);
    close(file->fh);
    return 0;
}

static int disk_read(const char *path, char *buffer, size_t size, off_t offset, struct fuse_file_info *file) {
    (void)path;
    if (fault == EIO && bytes_until_fault == 0) return -EIO;
    return result(pread(file->fh, buffer, size, offset));
}

static int disk_write(const char *path, const char *bytes, size_t size, off_t offset, struct fuse_file_info *file) {
    (void)path;
    int code = changing(size);
    if (code) return code;
    ssize_t count = pwrite(file->fh, bytes, size, offset);
    if (count == -1) return -errno;
    note(op_write, file->fh, offset, count, NULL, NULL, bytes, count);
    return count;
}

// Room is not really set aside: tests lie in memory.
static int disk_fallocate(const char *path, int mode, off_t offset, off_t length, struct fuse_file_info *file) {
    (void)path;
    struct stat now;
    int code = changing(mode & FALLOC_FL_PUNCH_HOLE ? 0 : length);
    if (code) return code;
    if (fstat(file->fh, &now) == -1) return -errno;
    if (mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)) {
        code = result(fallocate(file->fh, mode, offset, length));
        if (!code) note(op_zero, file->fh, offset, length, NULL, NULL, NULL, 0);
    } else if (mode == 0) {
        if (now.st_size >= offset + length) return 0;
        code = result(ftruncate(file->fh, offset + length));
        if (!code) note(op_size, file->fh, offset + length, 0, NULL, NULL, NULL, 0);
    } else {
        code = -EOPNOTSUPP;
    }
    return code;
}

static int disk_fsync(const char *path, int data_only, struct fuse_file_info *file) {
    (void)path;
    (void)data_only;
    if (fault == EIO && bytes_until_fault == 0) return -EIO;
    note(op_sync, file->fh, 0, 0, NULL, NULL, NULL, 0);
    return 0;
}

// An open directory. libfuse does not say its path again.
struct listing {
    DIR *directory;
    char path[4096];
};

static struct listing *listing_of(struct fuse_file_info *file) { return (struct listing *)(uintptr_t)file->fh; }

static int disk_fsyncdir(const char *path, int data_only, struct fuse_file_info *file) {
    (void)path;
    (void)data_only;
    if (fault == EIO && bytes_until_fault == 0) return -EIO;
    note(op_syncdir, 0, 0, 0, listing_of(file)->path, NULL, NULL, 0);
    return 0;
}

static int disk_opendir(const char *path, struct fuse_file_info *file) {
    int descriptor = openat(root, below(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor == -1) return -errno;
    struct listing *listing = calloc(1, sizeof *listing);
    if (!listing) abort();
    listing->directory = fdopendir(descriptor);
    if (!listing->directory) abort();
    snprintf(listing->path, sizeof listing->path, "%s", path);
    file->fh = (uint64_t)(uintptr_t)listing;
    return 0;
}

static int disk_readdir(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset, struct fuse_file_info *file,
                        enum fuse_readdir_flags flags) {
    (void)path;
    (void)offset;
    (void)flags;
    DIR *directory = listing_of(file)->directory;
    struct dirent *entry;
    rewinddir(directory);
    while ((entry = readdir(directory))) fill(buffer, entry->d_name, NULL, 0, 0);
    return 0;
}

static int disk_releasedir(const char *path, struct fuse_file_info *file) {
    (void)path;
    closedir(listing_of(file)->directory);
    free(listing_of(file));
    return 0;
}

static int disk_statfs(const char *path, struct statvfs *answer) {
    (void)path;
    int code = result(fstatvfs(root, answer));
    if (fault == ENOSPC) {
        answer->f_bfree = bytes_until_fault / answer->f_frsize;
        answer->f_bavail = answer->f_bfree;
    }
    return code;
}

static int disk_setxattr(const char *path, const char *name, const char *value, size_t size, int flags) {
    (void)flags;
    if (strcmp(path, "/") || strcmp(name, "user.fault")) return -EOPNOTSUPP;
    char text[64] = "", kind[16] = "";
    long long bytes = 0;
    memcpy(text, value, size < sizeof text - 1 ? size : sizeof text - 1);
    sscanf(text, "%15s %lld", kind, &bytes);
    fault = !strcmp(kind, "ENOSPC") ? ENOSPC : !strcmp(kind, "EIO") ? EIO : !strcmp(kind, "EROFS") ? EROFS : 0;
    bytes_until_fault = bytes;
    return 0;
}

static void *disk_init(struct fuse_conn_info *connection, struct fuse_config *config) {
    (void)connection;
    config->hard_remove = 1;
    config->nullpath_ok = 1;
    config->use_ino = 1;
    config->kernel_cache = 1;
    config->entry_timeout = 60;
    config->attr_timeout = 60;
    return NULL;
}

static const struct fuse_operations operations = {
    .init = disk_init, .getattr = disk_getattr, .mkdir = disk_mkdir, .unlink = disk_unlink, .rmdir = disk_rmdir,
    .rename = disk_rename, .link = disk_link, .chmod = disk_chmod, .utimens = disk_utimens,
    .truncate = disk_truncate, .open = disk_open, .create = disk_create, .release = disk_release, .read = disk_read,
    .write = disk_write, .fallocate = disk_fallocate, .fsync = disk_fsync, .fsyncdir = disk_fsyncdir,
    .opendir = disk_opendir, .readdir = disk_readdir, .releasedir = disk_releasedir, .statfs = disk_statfs,
    .setxattr = disk_setxattr,
};

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: lossy-disk DIRECTORY TRACE MOUNT-POINT [libfuse options]\n");
        return 2;
    }
    umask(0);
    root = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    trace = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (root == -1 || trace == -1) {
        perror("lossy-disk");
        return 1;
    }
    // libfuse sees its own name, the mount point and what follows; foreground, one thread.
    char *rest[64] = {argv[0], argv[3], "-f", "-s"};
    int count = 4;
    for (int index = 4; index < argc && count < 63; index++) rest[count++] = argv[index];
    return fuse_main(count, rest, &operations, NULL);
}
