#ifndef DBXFS_TEST_CLOCK_H
#define DBXFS_TEST_CLOCK_H
// Nothing is called from here: programs under test are started with this library before the others (LD_PRELOAD).
#endif
