/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nvm.c: the database; the caller serializes.
 */
#ifndef BOARD_NVM_H
#define BOARD_NVM_H

#include "text.h"

struct nvm;

/**
 * nvm_open - open the database, or create it
 * @create: remove what is there and make an empty one
 *
 * Return: 0, -ENOENT, -EPROTONOSUPPORT for an unknown format version, -EBADMSG when it is damaged
 * or not ours, or another negative errno.
 */
int nvm_open(const char *path, bool create, struct nvm **nvm, struct error *error);
void nvm_close(struct nvm *nvm);

/* nvm_remove - unlink the database and what SQLite keeps beside it */
void nvm_remove(const char *path);

/*
 * All writes happen between nvm_begin() and nvm_commit(). Errors: -ENOSPC, -EBADMSG (damaged),
 * -EIO.
 */
int nvm_begin(struct nvm *nvm);
int nvm_commit(struct nvm *nvm);
void nvm_rollback(struct nvm *nvm);

/*
 * nvm_root_get, nvm_header_get - *length is 0 when there is none; -EMSGSIZE when @capacity is too
 * small
 */
int nvm_root_get(struct nvm *nvm, void *blob, size_t capacity, size_t *length);
int nvm_root_set(struct nvm *nvm, const void *blob, size_t length);
int nvm_header_get(struct nvm *nvm, const uint8_t id[PARTITION_ID_SIZE], void *blob,
		   size_t capacity, size_t *length);
int nvm_header_set(struct nvm *nvm, const uint8_t id[PARTITION_ID_SIZE], const void *blob,
		   size_t length);

/* nvm_policy_get, nvm_policy_set - length 0: there is none */
int nvm_policy_get(struct nvm *nvm, const uint8_t id[PARTITION_ID_SIZE], void *blob,
		   size_t capacity, size_t *length);
int nvm_policy_set(struct nvm *nvm, const uint8_t id[PARTITION_ID_SIZE], const void *blob,
		   size_t length);

/* nvm_item_get, nvm_item_set - the board's own, by name; length 0: there is none */
int nvm_item_get(struct nvm *nvm, const char *name, void *blob, size_t capacity, size_t *length);
int nvm_item_set(struct nvm *nvm, const char *name, const void *blob, size_t length);

/* nvm_row_set - @length 0 deletes. *old is set to the bytes that the row had. */
int nvm_row_set(struct nvm *nvm, const uint8_t id[PARTITION_ID_SIZE], uint64_t row,
		const void *blob, size_t length, bool *existed, size_t *old);

/* nvm_rows - rows above @after in ascending order, struct board_row + blob each, as many as fit */
int nvm_rows(struct nvm *nvm, const uint8_t id[PARTITION_ID_SIZE], uint64_t after, void *buffer,
	     size_t capacity, size_t *length);

/* nvm_usage - rows of a partition, the bytes in them, and how many of these are the audit log's */
int nvm_usage(struct nvm *nvm, const uint8_t id[PARTITION_ID_SIZE], uint32_t *rows, uint64_t *bytes,
	      uint64_t *audit);
int nvm_partition_delete(struct nvm *nvm, const uint8_t id[PARTITION_ID_SIZE]);

/**
 * nvm_room - in a transaction that adds so many bytes: take the room that it needs, and leave a
 * reserve
 * Return: 0 or -ENOSPC, or another negative errno.
 */
int nvm_room(struct nvm *nvm, uint64_t bytes);

/* nvm_checkpoint - empty the write-ahead log, so that no former page is left in it */
int nvm_checkpoint(struct nvm *nvm);

#endif /* BOARD_NVM_H */
