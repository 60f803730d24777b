// What of SQLite's interface is variadic and does not come into Swift. Without SQLite's header, whose types belong to the
// module of GRDB.
#ifndef DBXFS_SQLITE_SHIM_H
#define DBXFS_SQLITE_SHIM_H

int dbxfs_sqlite3_db_config(void *connection, int option, ...) __asm__("sqlite3_db_config");

// Closing the last connection leaves the log as it is (SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE): what no epoch covers must not
// come into the database file.
static inline int dbxfs_sqlite_keep_log(void *connection) {
    return dbxfs_sqlite3_db_config(connection, 1006, 1, (int *)0);
}

#endif
