// SPDX-License-Identifier: Apache-2.0
/*
 * Objects as they are stored: a row each, sealed, and for a private object sealed once more under the key that only a
 * PIN unwraps. An object at rest is kept once: sealed while no user is logged in, open while one is.
 * The form is described in Documentation/commands.rst, "What is stored".
 */
#include <errno.h>
#include <string.h>
#include "commands.h"
#include "use_counter.h"

#define ROW_PRIVATE 1U
#define ROW_CLEAR   8 /* generation of the row */
#define ROW_FLAGS   4
#define ROW_AAD	    (PARTITION_ID_SIZE + 20)
#define ROW_VERSION 2

static void row_aad(const struct partition *partition, const struct object *object,
		    uint8_t aad[ROW_AAD])
{
	uint64_t id = htole64(object->handle), generation = htole64(object->generation);
	uint32_t version = htole32(ROW_VERSION);

	memcpy(aad, partition->info.id, PARTITION_ID_SIZE);
	memcpy(aad + PARTITION_ID_SIZE, &id, 8);
	memcpy(aad + PARTITION_ID_SIZE + 8, &generation, 8);
	memcpy(aad + PARTITION_ID_SIZE + 16, &version, 4);
}

static void drop_sealed(struct object *object)
{
	OPENSSL_free(object->sealed);
	object->sealed = NULL;
}

/* Bytes of the sealed form, which is what the row holds besides what every row has */
static size_t sealed_length(const struct object *object)
{
	return object->stored_length - ROW_CLEAR - ROW_FLAGS - AEAD_OVERHEAD;
}

/* ---- writing ---- */

static int seal_attributes(const struct partition *partition, struct object *object,
			   const uint8_t key[SECRET_SIZE])
{
	const struct attributes *set = &object->attributes;
	uint8_t aad[ROW_AAD];
	int ret;

	drop_sealed(object);
	object->sealed = OPENSSL_malloc(set->size + AEAD_OVERHEAD);
	if (!object->sealed)
		return -ENOMEM;
	row_aad(partition, object, aad);
	ret = aead_seal(key, aad, sizeof(aad), set->data, set->size, object->sealed);
	if (ret < 0)
		drop_sealed(object);
	return ret;
}

int row_write(const struct partition *partition, struct object *object, uint8_t *text, uint8_t *row,
	      size_t room)
{
	const uint8_t *body = object->attributes.data;
	size_t length = object->attributes.size;
	uint64_t generation = htole64(object->generation);
	uint32_t flags = htole32(object->is_private ? ROW_PRIVATE : 0);
	uint8_t aad[ROW_AAD];
	int ret;

	if (length > BOARD_BLOB_MAX - ROW_CLEAR - ROW_FLAGS - 2 * AEAD_OVERHEAD)
		return -EMSGSIZE;
	if (object->is_private) {
		ret = seal_attributes(partition, object, partition->commit_key);
		if (ret < 0)
			return ret;
		body = object->sealed;
		length += AEAD_OVERHEAD;
	}
	object->stored_length = ROW_CLEAR + ROW_FLAGS + length + AEAD_OVERHEAD;
	if (object->stored_length > room)
		return -E2BIG;
	memcpy(text, &flags, ROW_FLAGS);
	if (length)
		memcpy(text + ROW_FLAGS, body, length);
	memcpy(row, &generation, ROW_CLEAR);
	row_aad(partition, object, aad);
	ret = aead_seal(partition->row_key, aad, sizeof(aad), text, ROW_FLAGS + length,
			row + ROW_CLEAR);
	memcpy(object->tag, row + object->stored_length - AEAD_TAG_SIZE, AEAD_TAG_SIZE);
	return ret;
}

int row_digest(const struct partition *partition, const struct object *object, uint8_t digest[32])
{
	return hash_row(partition->hash_key, object->handle, object->generation, object->tag,
			digest);
}

/* ---- reading ---- */

/**
 * struct row_reader - what is made once for many rows
 * @text: room for the largest row, opened
 */
struct row_reader {
	const struct partition *partition;
	struct aead_opener *opener;
	struct row_hasher *hasher;
	uint8_t *text;
};

struct row_reader *row_reader_new(const struct partition *partition)
{
	struct row_reader *reader = OPENSSL_zalloc(sizeof(*reader));

	if (!reader)
		return NULL;
	reader->partition = partition;
	reader->opener = aead_opener_new(partition->row_key);
	reader->hasher = row_hasher_new(partition->hash_key);
	reader->text = OPENSSL_malloc(BOARD_BLOB_MAX);
	if (reader->opener && reader->hasher && reader->text)
		return reader;
	row_reader_free(reader);
	return NULL;
}

void row_reader_free(struct row_reader *reader)
{
	if (!reader)
		return;
	aead_opener_free(reader->opener);
	row_hasher_free(reader->hasher);
	OPENSSL_clear_free(reader->text, BOARD_BLOB_MAX);
	OPENSSL_free(reader);
}

static int fill_object(struct object *object, const uint8_t *text, size_t length)
{
	uint32_t flags;

	if (length < ROW_FLAGS)
		return -EBADMSG;
	flags = hsm_get_le32(text);
	text += ROW_FLAGS;
	length -= ROW_FLAGS;
	if (!(flags & ROW_PRIVATE))
		return attributes_load(&object->attributes, text, length) == CKR_OK ? 0 : -EBADMSG;
	if (length < AEAD_OVERHEAD)
		return -EBADMSG;
	object->is_private = true;
	object->locked = true;
	object->sealed = OPENSSL_memdup(text, length);
	return object->sealed ? 0 : -ENOMEM;
}

int row_read(struct row_reader *reader, uint64_t id, const uint8_t *row, size_t length,
	     uint8_t sum[32], struct object **result)
{
	struct object *object;
	uint8_t aad[ROW_AAD], digest[32];
	int ret;

	if (length < ROW_CLEAR + AEAD_OVERHEAD)
		return -EBADMSG;
	object = object_new();
	if (!object)
		return -ENOMEM;
	object->token = true;
	object->handle = id;
	object->generation = hsm_get_le64(row);
	object->stored_length = length;
	row_aad(reader->partition, object, aad);
	ret = aead_opener_run(reader->opener, aad, sizeof(aad), row + ROW_CLEAR, length - ROW_CLEAR,
			      reader->text);
	memcpy(object->tag, row + length - AEAD_TAG_SIZE, AEAD_TAG_SIZE);
	if (!ret)
		ret = row_hasher_run(reader->hasher, id, object->generation, object->tag, digest);
	if (!ret)
		ret = fill_object(object, reader->text, length - ROW_CLEAR - AEAD_OVERHEAD);
	if (ret < 0) {
		object_put(object);
		object = NULL;
	} else {
		hash_add(sum, digest);
	}
	*result = object;
	return ret;
}

/* ---- logins ---- */

/**
 * struct object_locker - what is made once for many objects
 * @text: room for the largest one, open or sealed
 */
struct object_locker {
	const struct partition *partition;
	struct aead_opener *opener;
	struct aead_sealer *sealer;
	uint8_t *text;
};

void object_rest(struct object *object)
{
	if (object->token && !object->locked)
		drop_sealed(object);
	/* Sealed it takes so much more: then locking needs no other memory. */
	attributes_trim(&object->attributes, object->is_private ? AEAD_OVERHEAD : 0);
}

struct object_locker *object_locker_new(const struct partition *partition)
{
	struct object_locker *locker = OPENSSL_zalloc(sizeof(*locker));

	if (!locker)
		return NULL;
	locker->partition = partition;
	locker->opener = aead_opener_new(partition->private_row_key);
	locker->sealer = aead_sealer_new(partition->private_row_key);
	locker->text = OPENSSL_malloc(BOARD_BLOB_MAX);
	if (locker->opener && locker->sealer && locker->text)
		return locker;
	object_locker_free(locker);
	return NULL;
}

void object_locker_free(struct object_locker *locker)
{
	if (!locker)
		return;
	aead_opener_free(locker->opener);
	aead_sealer_free(locker->sealer);
	OPENSSL_clear_free(locker->text, BOARD_BLOB_MAX);
	OPENSSL_free(locker);
}

CK_RV object_unlock(struct object_locker *locker, struct object *object)
{
	size_t length = sealed_length(object);
	uint8_t aad[ROW_AAD];

	row_aad(locker->partition, object, aad);
	if (aead_opener_run(locker->opener, aad, sizeof(aad), object->sealed, length,
			    locker->text) < 0)
		return CKR_DEVICE_ERROR;
	if (attributes_adopt(&object->attributes, object->sealed, length, locker->text,
			     length - AEAD_OVERHEAD) != CKR_OK)
		return CKR_DEVICE_ERROR;
	object->sealed = NULL;
	object->locked = false;
	return CKR_OK;
}

/* Into the memory that the attributes are in, when it is large enough. The open form is gone then. */
static int seal_in_place(struct object_locker *locker, struct object *object)
{
	struct attributes *set = &object->attributes;
	size_t length = set->size + AEAD_OVERHEAD;
	uint8_t aad[ROW_AAD];

	if (set->room != length || length > BOARD_BLOB_MAX)
		return -ENOBUFS;
	row_aad(locker->partition, object, aad);
	if (aead_sealer_run(locker->sealer, aad, sizeof(aad), set->data, set->size, locker->text) <
	    0)
		return -EIO;
	memcpy(set->data, locker->text, length);
	object->sealed = set->data;
	*set = (struct attributes){ 0 };
	return 0;
}

/* A copy of what can be known of a private object that nobody may see */
static struct object *locked_copy(struct object *object)
{
	struct object *locked = object_new();

	if (!locked)
		return NULL;
	locked->token = locked->is_private = true;
	uses_share(object, locked);
	locked->handle = object->handle;
	locked->generation = object->generation;
	locked->stored_length = object->stored_length;
	memcpy(locked->tag, object->tag, sizeof(locked->tag));
	return locked;
}

static int lock_alone(struct object_locker *locker, struct object *object)
{
	int ret = 0;

	if (!object->sealed)
		ret = seal_in_place(locker, object);
	if (ret == -ENOBUFS)
		ret = seal_attributes(locker->partition, object,
				      locker->partition->private_row_key);
	if (ret < 0)
		return ret;
	attributes_free(&object->attributes);
	if (object->key)
		key_put(object->key);
	object->key = NULL;
	object->locked = true;
	return 0;
}

int object_lock(struct object_locker *locker, struct object *object, struct object **locked)
{
	int ret = 0;

	*locked = object;
	if (atomic_load(&object->refs) == 1)
		return lock_alone(locker, object);
	/* Whoever still works with the object keeps it as it is; another takes its place. */
	*locked = locked_copy(object);
	if (!*locked)
		return -ENOMEM;
	if (!object->sealed)
		ret = seal_attributes(locker->partition, object,
				      locker->partition->private_row_key);
	if (ret < 0) {
		object_put(*locked);
		return ret;
	}
	(*locked)->locked = true;
	(*locked)->sealed = object->sealed;
	object->sealed = NULL;
	return 0;
}
