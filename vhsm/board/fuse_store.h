/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the fuses are kept: two places for a record each, which fuses.c writes in turn. A file
 * (fuses_file.c) or the non-volatile memory of a TPM (fuses_tpm.c). A store knows bytes alone; what
 * they mean, and which of the two is in force, is the business of fuses.c.
 */
#ifndef BOARD_FUSE_STORE_H
#define BOARD_FUSE_STORE_H

#include "internal.h"

#define FUSE_RECORD_SIZE 512
#define FUSE_SLOTS	 2

struct fuse_store;

/**
 * struct fuse_backend - one kind of store
 * @scheme: how the names of such stores begin; empty: all others
 * @create: make a new store that holds these records, complete or not at all; -EEXIST
 * @open: -ENOENT when there is none, any other negative errno with a reason
 * @read: one record; 0, -EBADMSG when it is damaged or was never written, or another negative errno
 * @write: one record, durable when it returns 0
 * @remove: what there is goes, with all that it holds; 0 also when there was nothing
 */
struct fuse_backend {
	const char *scheme;
	int (*create)(const char *where, uint8_t records[FUSE_SLOTS][FUSE_RECORD_SIZE],
		      struct error *error);
	int (*open)(const char *where, struct fuse_store **store, struct error *error);
	void (*close)(struct fuse_store *store);
	int (*read)(struct fuse_store *store, unsigned int slot, uint8_t record[FUSE_RECORD_SIZE]);
	int (*write)(struct fuse_store *store, unsigned int slot,
		     const uint8_t record[FUSE_RECORD_SIZE]);
	int (*remove)(const char *where, struct error *error);
};

extern const struct fuse_backend fuse_backend_file;
extern const struct fuse_backend fuse_backend_tpm;

#endif /* BOARD_FUSE_STORE_H */
