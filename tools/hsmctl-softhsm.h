/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SoftHSM 2's store as hsmctl reads it: files of objects (hsmctl-softhsm-file.c) in the directory of a token
 * (hsmctl-softhsm-token.c). hsmctl-softhsm.c brings what they hold into a partition.
 */
#ifndef HSMCTL_SOFTHSM_H
#define HSMCTL_SOFTHSM_H

#include "hsmctl.h"

#define SOFT_FILE_MAX	(1024 * 1024)	/* of one object: larger than any command carries */
#define SOFT_VALUES_MAX	128
#define SOFT_KEY_SIZE	32
#define SOFT_NAME_SIZE	256

/* How a file holds a value; the numbers are the format's */
enum soft_kind {
	SOFT_BOOL = 1,
	SOFT_NUMBER = 2,
	SOFT_BYTES = 3,
	SOFT_MAP = 4,	/* a template */
	SOFT_LIST = 5,	/* of mechanisms */
};

/**
 * struct soft_value - one attribute
 * @number: SOFT_BOOL, SOFT_NUMBER
 * @bytes: in the object's own data: SOFT_BYTES, SOFT_MAP, SOFT_LIST (big-endian numbers of eight bytes)
 */
struct soft_value {
	uint64_t type;
	enum soft_kind kind;
	uint64_t number;
	uint8_t *bytes;
	size_t length;
};

/* struct soft_object - a file of the store; zero it first. From soft_token_load() it is soft_free()'s, in any state */
struct soft_object {
	uint8_t *data;
	size_t size;
	size_t count;
	struct soft_value value[SOFT_VALUES_MAX];
};

/* ---- hsmctl-softhsm-file.c ---- */

/**
 * soft_parse - take a file's bytes apart; every length in it is checked
 * @data: the object's from now on, whatever the answer is
 *
 * Return: 0, or -EBADMSG: it is no object, or damaged.
 */
int soft_parse(struct soft_object *object, uint8_t *data, size_t size);

/* soft_find - the value of that type and kind; NULL: it has none */
const struct soft_value *soft_find(const struct soft_object *object, uint64_t type, enum soft_kind kind);

/* soft_bool, soft_number - or @fallback */
bool soft_bool(const struct soft_object *object, uint64_t type, bool fallback);
uint64_t soft_number(const struct soft_object *object, uint64_t type, uint64_t fallback);

/**
 * soft_unlock - the key of a token's private objects, by the user's PIN
 * @token: token.object
 * @key: in memory for secrets, as @pin
 *
 * Return: 0; -ENOENT: no user PIN has been set; -EACCES: it is another one; -EBADMSG: damaged; -EIO: libcrypto; -ENOMEM.
 */
int soft_unlock(const struct soft_object *token, const struct secret *pin, uint8_t key[SOFT_KEY_SIZE]);

/* soft_open - decrypt a private object's values, in place. Return: 0, -EBADMSG, -EIO */
int soft_open(struct soft_object *object, const uint8_t key[SOFT_KEY_SIZE]);

/* ---- hsmctl-softhsm-token.c: enum ctl_exit, having reported what went wrong ---- */

/**
 * struct soft_token - a token's directory
 * @object: token.object
 * @names: of its objects' files, sorted
 */
struct soft_token {
	int dir;
	char label[33];
	char serial[17];
	struct soft_object object;
	char (*names)[SOFT_NAME_SIZE];
	size_t count;
};

/*
 * soft_token_open - find the token @which in the directory of SoftHSM's configuration: its label or serial number; with a slash in it
 * the token's own directory. soft_token_close() is due in any case.
 */
int soft_token_open(struct ctl *ctl, const char *which, struct soft_token *token);
void soft_token_close(struct soft_token *token);

/* soft_token_load - one of its files, in memory for secrets. Return: 0 or a negative errno; nothing is reported */
int soft_token_load(const struct soft_token *token, const char *name, struct soft_object *object);
void soft_free(struct soft_object *object);

#endif /* HSMCTL_SOFTHSM_H */
