/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects: what they are, as rows, in the index, and how the set of them changes. commands.h tells the locks.
 */
#ifndef FIRMWARE_OBJECTS_H
#define FIRMWARE_OBJECTS_H

#include <stdatomic.h>
#include <hsm/pkcs11.h>
#include "attribute_rules.h"
#include "attributes.h"
#include "mech.h"
#include "sealing.h"

struct client;
struct command;
struct key;
struct object;
struct partition;
struct session;
struct use_counter;

/* ---- objects ---- */

/* struct object_link - place in a list that can be left from the middle; @before NULL: in none */
struct object_link {
	struct object *next;
	struct object **before;
};

/**
 * struct object - a token or session object
 * @handle: unique in the partition, never used again; of a token object its row's id
 * @stored_length: bytes that count for the quota
 * @generation: of the row, counts changes
 * @tag: of the sealed row: what the multiset hash takes of it
 * @sealed: of a private object that is locked or on its way to the disk: attributes under the private key
 * @owner: the session that made it, valid while the object is in the index; no reference
 * @mine: link of the owner's objects
 * @attributes: empty while the object is private and nobody is logged in
 * @key: made when first needed
 * @uses: of a key whose uses are limited; made when first needed, shared with what replaces the object
 * @next: link of the index by handle
 * @named: links of the index by label and by id. All links are under partition.lock.
 */
struct object {
	atomic_uint refs;
	uint32_t token : 1;
	uint32_t is_private : 1;
	uint32_t locked : 1;
	uint32_t stored_length : 29;
	uint64_t handle;
	union {
		struct { /* token objects */
			uint64_t generation;
			uint8_t tag[AEAD_TAG_SIZE];
			uint8_t *sealed;
		};
		struct { /* session objects */
			struct session *owner;
			struct object_link mine;
		};
	};
	struct attributes attributes;
	_Atomic(struct key *) key;
	_Atomic(struct use_counter *) uses;
	struct object *next;
	struct object_link named[2];
};

struct object_index {
	struct object **handles;
	struct object **names[2]; /* by label, by id */
	size_t buckets;
	size_t count;
};

/* ---- rows.c: objects as they are stored ---- */

/**
 * row_write - seal an object
 * @object: its generation is set; its tag, stored length and sealed form are filled in
 * @text: room of BOARD_BLOB_MAX, wiped by the caller
 * @row: gets @object's stored length of bytes
 *
 * A private one is sealed under partition.commit_key as well.
 * Return: 0, -E2BIG when @room is too small, -EMSGSIZE when no row can be as large, -ENOMEM, -EIO.
 */
int row_write(const struct partition *partition, struct object *object, uint8_t *text, uint8_t *row,
	      size_t room);

/* row_reader_new - for the reading of many rows, NULL: out of memory */
struct row_reader *row_reader_new(const struct partition *partition);
void row_reader_free(struct row_reader *reader);
/* row_digest - an object's share of its partition's multiset hash. Return: 0 or -EIO. */
int row_digest(const struct partition *partition, const struct object *object, uint8_t digest[32]);

/* row_read - verify and open a row, add it to the multiset hash; a private object stays locked. Return: 0, -EBADMSG, -ENOMEM, -EIO. */
int row_read(struct row_reader *reader, uint64_t id, const uint8_t *row, size_t length,
	     uint8_t sum[32], struct object **object);

/* object_rest - give back what an object needs no more once it is stored and open. Before it is in the index. */
void object_rest(struct object *object);

/* object_locker_new - for objects to be opened under partition.private_row_key, or sealed; NULL: out of memory */
struct object_locker *object_locker_new(const struct partition *partition);
void object_locker_free(struct object_locker *locker);

/**
 * object_unlock - open a private object that nobody can see yet
 *
 * The caller holds partition.lock and puts it into the index by its names. Return: CKR_OK, or CKR_DEVICE_ERROR when it
 * does not open.
 */
CK_RV object_unlock(struct object_locker *locker, struct object *object);

/**
 * object_lock - the sealed form of a private object that nobody may see any more
 * @locked: set to the object itself, which is emptied, or when others use it to a new one that must take its place
 *
 * The caller holds partition.lock. Return: 0, or a negative errno: then nothing has changed.
 */
int object_lock(struct object_locker *locker, struct object *object, struct object **locked);

/* ---- object.c ---- */

struct object *object_new(void);
struct object *object_get(struct object *object);
void object_put(struct object *object);
/* object_key - a reference to the object's key, NULL when out of memory */
struct key *object_key(struct object *object);
/*
 * Handles as applications see them: a token object's row, a number with HANDLE_SESSION, or what builtin_objects.c makes of
 * HANDLE_BUILTIN. A private token object's also says after how many logouts of the application it was found: it is void
 * after the next one, and stays so when the user logs in again (PKCS#11 3.2, C_Logout).
 */
#define HANDLE_SESSION	     (1ULL << 62)
#define HANDLE_BUILTIN	     (1ULL << 61)
#define HANDLE_LOGOUTS_SHIFT 40
#define HANDLE_LOGOUTS_MASK  0xfffffU

/* object_handle - the object's handle for this application. The caller holds partition.lock. */
uint64_t object_handle(const struct object *object, const struct client *client);

bool object_visible(const struct object *object, const struct client *client);
/* object_find - a reference to a visible object, NULL: none. Takes partition.lock. */
struct object *object_find(struct command *command, uint64_t handle);

/* ---- index.c, all under partition.lock ---- */

/* index_reserve - make the tables large enough for so many objects. Return: 0 or -ENOMEM. */
int index_reserve(struct object_index *index, size_t count);
/* object_matches - has the object all attributes of a template, as far as it lets them be read? */
bool object_matches(const struct object *object, const struct attributes *template);

int index_insert(struct object_index *index, struct object *object);
/* index_name, index_unname - into and out of the tables of labels and ids, when attributes come or go */
void index_name(struct object_index *index, struct object *object);
void index_unname(struct object *object);
void index_remove(struct object_index *index, struct object *object);
struct object *index_find(const struct object_index *index, uint64_t handle);
void index_clear(struct object_index *index);
/* index_each - calls @visit for each object; it may replace the object it is given */
void index_each(struct object_index *index, void (*visit)(struct object *object, void *data),
		void *data);
/**
 * index_match - handles of the visible objects that match a template, ascending
 * Return: CKR_OK or CKR_HOST_MEMORY. *@handles is freed by the caller with OPENSSL_free().
 */
CK_RV index_match(const struct object_index *index, const struct attributes *template,
		  const struct client *client, uint64_t **handles, size_t *count);

/* object_store.c: changes to the set of objects */

/* object_settle - a new object from a template of C_CreateObject: rules, policy, checks of its values, history */
CK_RV object_settle(const struct command *command, const struct attributes *template, struct attributes *object);

/* object_settle_pair - may these two be halves of a pair here? CKR_OK or CKR_TEMPLATE_INCONSISTENT. */
CK_RV object_settle_pair(const struct command *command, const struct attributes *public_key,
			 const struct attributes *private_key);

/* object_allowed - may this session make such an object? CKR_OK, CKR_SESSION_READ_ONLY, CKR_USER_NOT_LOGGED_IN */
CK_RV object_allowed(const struct command *command, const struct attributes *attributes);

#define OBJECTS_ADD_MAX (MECH_MORE_KEYS + 1)

/**
 * objects_add - check role and quota, store and index new objects, in one commit
 * @sets: complete attributes of each; taken over, empty afterwards
 * @count: 1 to OBJECTS_ADD_MAX
 * @handles: set to the new handles
 */
CK_RV objects_add(struct command *command, struct attributes *sets, size_t count,
		  uint64_t *handles);
/* The object was replaced since it was found: look again. Never leaves the device. */
#define OBJECT_STALE (CKR_VENDOR_DEFINED | 0x4f53UL)

/* object_replace - @set, taken over, becomes the object's attributes. Return: CKR_OK, OBJECT_STALE ... */
CK_RV object_replace(struct command *command, struct object *before, struct attributes *set);
/* object_destroy - Return: CKR_OK, OBJECT_STALE ... */
CK_RV object_destroy(struct command *command, struct object *object);
/* session_objects_drop - destroy a session's objects; @only_private: at logout. The caller holds partition.lock. */
void session_objects_drop(struct partition *partition, struct session *session, bool only_private);

/* masked_objects_drop - take out all session objects of the partition with this CKA_HSM_MASK_ID. Takes partition.lock. */
void masked_objects_drop(struct partition *partition, uint64_t id);

#endif /* FIRMWARE_OBJECTS_H */
