// usage: null-fs SOURCE MOUNTPOINT
//
// The null file system: every request goes straight to the same file below SOURCE. It is the plainest program on
// libfuse's low-level API that is still fast: an O_PATH descriptor per known node, two worker threads as dbxfs has on
// two cores, replies from memory. What the kernel keeps by default it keeps here: names and attributes for one second,
// pages until the file is opened again or changes. It knows no extended attributes, locks or special files.
// Runs in the foreground; ends with the mount.
#define _GNU_SOURCE
#define FUSE_USE_VERSION 312
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "nodes.h"

static const double timeout = 1.0;
static struct node root = { .lookups = UINT64_MAX / 2 };

static struct node *at(fuse_ino_t ino) { return ino == FUSE_ROOT_ID ? &root : (struct node *)(uintptr_t)ino; }

static void path_of(struct node *node, char path[32]) { snprintf(path, 32, "/proc/self/fd/%d", node->fd); }

static void finish(fuse_req_t req, int result) { fuse_reply_err(req, result == 0 ? 0 : errno); }

/// Fills `entry` for a name; 0 or an errno value.
static int enter(struct node *parent, const char *name, struct fuse_entry_param *entry) {
    memset(entry, 0, sizeof *entry);
    entry->attr_timeout = entry->entry_timeout = timeout;
    int fd = openat(parent->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return errno;
    if (fstatat(fd, "", &entry->attr, AT_EMPTY_PATH) != 0) {
        int code = errno;
        close(fd);
        return code;
    }
    struct node *node = nodes_enter(fd, &entry->attr);
    entry->ino = (uintptr_t)node;
    return node == NULL ? ENOMEM : 0;
}

static void reply_entry(fuse_req_t req, struct node *parent, const char *name) {
    struct fuse_entry_param entry;
    int code = enter(parent, name, &entry);
    if (code != 0) fuse_reply_err(req, code);
    else fuse_reply_entry(req, &entry);
}

static void null_init(void *data, struct fuse_conn_info *conn) {
    (void)data;
    conn->want &= ~(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
}

static void null_lookup(fuse_req_t req, fuse_ino_t parent, const char *name) { reply_entry(req, at(parent), name); }

static void null_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups) {
    if (ino != FUSE_ROOT_ID) nodes_forget(at(ino), lookups);
    fuse_reply_none(req);
}

static void null_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets) {
    for (size_t i = 0; i < count; i++)
        if (forgets[i].ino != FUSE_ROOT_ID) nodes_forget(at(forgets[i].ino), forgets[i].nlookup);
    fuse_reply_none(req);
}

static void null_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi) {
    (void)fi;
    struct stat attributes;
    if (fstatat(at(ino)->fd, "", &attributes, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0) finish(req, -1);
    else fuse_reply_attr(req, &attributes, timeout);
}

static struct timespec new_time(int set, int now, struct timespec value) {
    if (now) return (struct timespec){ 0, UTIME_NOW };
    return set ? value : (struct timespec){ 0, UTIME_OMIT };
}

static void null_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int valid, struct fuse_file_info *fi) {
    struct node *node = at(ino);
    char path[32];
    path_of(node, path);
    if (valid & FUSE_SET_ATTR_MODE && chmod(path, attr->st_mode) != 0) return finish(req, -1);
    if (valid & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) {
        uid_t uid = valid & FUSE_SET_ATTR_UID ? attr->st_uid : (uid_t)-1;
        gid_t gid = valid & FUSE_SET_ATTR_GID ? attr->st_gid : (gid_t)-1;
        if (fchownat(node->fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0) return finish(req, -1);
    }
    if (valid & FUSE_SET_ATTR_SIZE && (fi ? ftruncate((int)fi->fh, attr->st_size) : truncate(path, attr->st_size)) != 0)
        return finish(req, -1);
    if (valid & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME)) {
        struct timespec times[2] = {
            new_time(valid & FUSE_SET_ATTR_ATIME, valid & FUSE_SET_ATTR_ATIME_NOW, attr->st_atim),
            new_time(valid & FUSE_SET_ATTR_MTIME, valid & FUSE_SET_ATTR_MTIME_NOW, attr->st_mtim),
        };
        if (utimensat(AT_FDCWD, path, times, 0) != 0) return finish(req, -1);
    }
    null_getattr(req, ino, fi);
}

static void null_readlink(fuse_req_t req, fuse_ino_t ino) {
    char target[4096];
    ssize_t count = readlinkat(at(ino)->fd, "", target, sizeof target - 1);
    if (count < 0) return finish(req, -1);
    target[count] = 0;
    fuse_reply_readlink(req, target);
}

static void null_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode) {
    if (mkdirat(at(parent)->fd, name, mode) != 0) return finish(req, -1);
    reply_entry(req, at(parent), name);
}

static void null_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name) {
    if (symlinkat(target, at(parent)->fd, name) != 0) return finish(req, -1);
    reply_entry(req, at(parent), name);
}

static void null_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name) {
    char path[32];
    path_of(at(ino), path);
    if (linkat(AT_FDCWD, path, at(parent)->fd, name, AT_SYMLINK_FOLLOW) != 0) return finish(req, -1);
    reply_entry(req, at(parent), name);
}

static void null_unlink(fuse_req_t req, fuse_ino_t parent, const char *name) {
    finish(req, unlinkat(at(parent)->fd, name, 0));
}

static void null_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name) {
    finish(req, unlinkat(at(parent)->fd, name, AT_REMOVEDIR));
}

static void null_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
                        const char *newname, unsigned int flags) {
    finish(req, renameat2(at(parent)->fd, name, at(newparent)->fd, newname, flags));
}

static void null_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi) {
    int fd = openat(at(parent)->fd, name, (fi->flags | O_CREAT | O_CLOEXEC) & ~(O_NOFOLLOW | O_DIRECT), mode);
    if (fd < 0) return finish(req, -1);
    struct fuse_entry_param entry;
    int code = enter(at(parent), name, &entry);
    if (code != 0) {
        close(fd);
        fuse_reply_err(req, code);
    } else {
        fi->fh = fd;
        fuse_reply_create(req, &entry, fi);
    }
}

static void null_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi) {
    char path[32];
    path_of(at(ino), path);
    int fd = open(path, (fi->flags | O_CLOEXEC) & ~(O_NOFOLLOW | O_DIRECT));
    if (fd < 0) return finish(req, -1);
    fi->fh = fd;
    fuse_reply_open(req, fi);
}

static void null_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi) {
    (void)ino;
    static __thread char *buffer;
    static __thread size_t capacity;
    if (capacity < size) {
        free(buffer);
        buffer = malloc(size);
        capacity = buffer == NULL ? 0 : size;
        if (buffer == NULL) return (void)fuse_reply_err(req, ENOMEM);
    }
    ssize_t count = pread((int)fi->fh, buffer, size, off);
    if (count < 0) finish(req, -1);
    else fuse_reply_buf(req, buffer, count);
}

static void null_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t off,
                       struct fuse_file_info *fi) {
    (void)ino;
    ssize_t count = pwrite((int)fi->fh, data, size, off);
    if (count < 0) finish(req, -1);
    else fuse_reply_write(req, count);
}

static void null_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi) {
    (void)ino;
    close((int)fi->fh);
    fuse_reply_err(req, 0);
}

static void null_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi) {
    (void)ino;
    finish(req, datasync ? fdatasync((int)fi->fh) : fsync((int)fi->fh));
}

static void null_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi) {
    int fd = openat(at(ino)->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    if (directory == NULL) return finish(req, -1);
    fi->fh = (uintptr_t)directory;
    fuse_reply_open(req, fi);
}

/// Fills `buffer` and returns how much of it; the position of the stream ends behind the last entry that fitted.
static size_t list(fuse_req_t req, struct node *node, DIR *directory, off_t off, char *buffer, size_t size, int plus) {
    size_t used = 0;
    if (off != telldir(directory)) seekdir(directory, off);
    for (;;) {
        long before = telldir(directory);
        struct dirent *item = readdir(directory);
        if (item == NULL) return used;
        struct fuse_entry_param entry;
        memset(&entry, 0, sizeof entry);
        int is_dot = strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0;
        if (plus && !is_dot && enter(node, item->d_name, &entry) != 0) memset(&entry, 0, sizeof entry);
        if (entry.ino == 0) {
            entry.attr.st_ino = item->d_ino;
            entry.attr.st_mode = (mode_t)item->d_type << 12;
        }
        size_t needed = plus
            ? fuse_add_direntry_plus(req, buffer + used, size - used, item->d_name, &entry, item->d_off)
            : fuse_add_direntry(req, buffer + used, size - used, item->d_name, &entry.attr, item->d_off);
        if (needed > size - used) {
            if (entry.ino != 0) nodes_forget(at(entry.ino), 1);
            seekdir(directory, before);
            return used;
        }
        used += needed;
    }
}

static void reply_list(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi, int plus) {
    char *buffer = malloc(size);
    if (buffer == NULL) return (void)fuse_reply_err(req, ENOMEM);
    fuse_reply_buf(req, buffer, list(req, at(ino), (DIR *)(uintptr_t)fi->fh, off, buffer, size, plus));
    free(buffer);
}

static void null_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi) {
    reply_list(req, ino, size, off, fi, 0);
}

static void null_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi) {
    reply_list(req, ino, size, off, fi, 1);
}

static void null_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi) {
    (void)ino;
    closedir((DIR *)(uintptr_t)fi->fh);
    fuse_reply_err(req, 0);
}

static void null_statfs(fuse_req_t req, fuse_ino_t ino) {
    struct statvfs values;
    if (fstatvfs(at(ino)->fd, &values) != 0) finish(req, -1);
    else fuse_reply_statfs(req, &values);
}

static const struct fuse_lowlevel_ops operations = {
    .init = null_init, .lookup = null_lookup, .forget = null_forget, .forget_multi = null_forget_multi,
    .getattr = null_getattr, .setattr = null_setattr, .readlink = null_readlink, .mkdir = null_mkdir,
    .symlink = null_symlink, .link = null_link, .unlink = null_unlink, .rmdir = null_rmdir, .rename = null_rename,
    .create = null_create, .open = null_open, .read = null_read, .write = null_write, .release = null_release,
    .fsync = null_fsync, .opendir = null_opendir, .readdir = null_readdir, .readdirplus = null_readdirplus,
    .releasedir = null_releasedir, .statfs = null_statfs,
};

int main(int argc, char *argv[]) {
    if (argc != 3) return fprintf(stderr, "usage: null-fs SOURCE MOUNTPOINT\n"), 2;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    umask(0);
    root.fd = open(argv[1], O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root.fd < 0) return perror(argv[1]), 1;
    char *words[] = { argv[0], "-o", "fsname=null,subtype=null,default_permissions", NULL };
    struct fuse_args arguments = FUSE_ARGS_INIT(3, words);
    struct fuse_session *session = fuse_session_new(&arguments, &operations, sizeof operations, NULL);
    if (session == NULL || fuse_session_mount(session, argv[2]) != 0) return 1;
    fuse_set_signal_handlers(session);
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    fuse_loop_cfg_set_max_threads(config, cores < 2 ? 2 : (unsigned)cores);
    int result = fuse_session_loop_mt(session, config);
    fuse_loop_cfg_destroy(config);
    fuse_session_unmount(session);
    fuse_session_destroy(session);
    return result == 0 ? 0 : 1;
}
