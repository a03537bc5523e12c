// SPDX-License-Identifier: Apache-2.0
/*
 * What the board keeps for a partition: a header and a row for each token object. Here objects become
 * sealed rows and come back, and a change becomes one BOARD_COMMIT. Nobody is told that something
 * happened before that request has been answered.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include "commands.h"

#define ROW_PRIVATE	   1U
#define ROW_CLEAR	   8 /* generation of the row */
#define ROW_AAD		   (PARTITION_ID_SIZE + 20)
#define ROW_VERSION	   1
#define COMMITS_TO_ADVANCE 1024

static void complain(const struct partition *partition, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void complain(const struct partition *partition, const char *format, ...)
{
	char text[200], name[BOARD_NAME_MAX + 1];
	va_list args;
	unsigned int i;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	memcpy(name, partition->info.name, BOARD_NAME_MAX);
	name[BOARD_NAME_MAX] = 0;
	for (i = 0; name[i]; i++)
		if ((unsigned char)name[i] < ' ')
			name[i] = '?';
	fprintf(stderr, "partition \"%s\" (slot %u): %s\n", name, partition->info.slot, text);
}

static void row_aad(const struct partition *partition, uint64_t id, uint64_t generation,
		    uint8_t aad[ROW_AAD])
{
	uint32_t version = htole32(ROW_VERSION);

	id = htole64(id);
	generation = htole64(generation);
	memcpy(aad, partition->info.id, PARTITION_ID_SIZE);
	memcpy(aad + PARTITION_ID_SIZE, &id, 8);
	memcpy(aad + PARTITION_ID_SIZE + 8, &generation, 8);
	memcpy(aad + PARTITION_ID_SIZE + 16, &version, 4);
}

/* ---- objects to rows ---- */

static void write_attributes(struct hsm_writer *out, const struct attributes *set)
{
	const struct attribute *item = NULL;

	while ((item = attributes_next(set, item)))
		hsm_put_attribute(out, item->type, 0, item->value, item->length);
}

/* Seal a private object's attributes under the key that only a PIN unwraps */
static int seal_private(const struct partition *partition, struct object *object,
			const uint8_t *text, size_t length)
{
	uint8_t aad[ROW_AAD];

	OPENSSL_clear_free(object->sealed, object->sealed_length);
	object->sealed_length = length + AEAD_OVERHEAD;
	object->sealed = OPENSSL_malloc(object->sealed_length);
	if (!object->sealed)
		return -ENOMEM;
	row_aad(partition, object->handle, object->generation, aad);
	return aead_seal(partition->commit_key, aad, sizeof(aad), text, length, object->sealed);
}

/* @text: room of BOARD_BLOB_MAX, wiped by the caller. Sets the object's digest and stored length. */
static int write_row(const struct partition *partition, struct object *object, uint8_t *text,
		     uint8_t *row, size_t room)
{
	uint64_t generation = htole64(object->generation);
	uint8_t aad[ROW_AAD];
	struct hsm_writer out;
	uint32_t flags = htole32(object->is_private ? ROW_PRIVATE : 0);
	int ret;

	hsm_writer_init(&out, text, BOARD_BLOB_MAX - ROW_CLEAR - 2 * AEAD_OVERHEAD);
	hsm_put_raw(&out, &flags, sizeof(flags));
	write_attributes(&out, &object->attributes);
	if (out.error)
		return -EMSGSIZE;
	if (object->is_private) {
		ret = seal_private(partition, object, text + 4, out.length - 4);
		if (ret < 0)
			return ret;
		memcpy(text + 4, object->sealed, object->sealed_length);
		out.length = 4 + object->sealed_length;
	}
	object->stored_length = ROW_CLEAR + out.length + AEAD_OVERHEAD;
	if (object->stored_length > room)
		return -E2BIG;
	memcpy(row, &generation, ROW_CLEAR);
	row_aad(partition, object->handle, object->generation, aad);
	ret = aead_seal(partition->row_key, aad, sizeof(aad), text, out.length, row + ROW_CLEAR);
	if (ret < 0)
		return ret;
	return hash_row(partition->hash_key, object->handle, object->generation,
			row + object->stored_length - AEAD_TAG_SIZE, object->digest);
}

/* ---- rows to objects ---- */

static int fill_object(struct object *object, const uint8_t *text, size_t length)
{
	uint32_t flags;

	if (length < 4)
		return -EBADMSG;
	flags = hsm_get_le32(text);
	text += 4;
	length -= 4;
	if (!(flags & ROW_PRIVATE)) {
		if (!hsm_attributes_valid(text, length, 4) ||
		    attributes_parse(&object->attributes, text, length) != CKR_OK)
			return -EBADMSG;
		return 0;
	}
	object->is_private = true;
	object->locked = true;
	object->sealed = OPENSSL_memdup(text, length);
	object->sealed_length = length;
	return object->sealed ? 0 : -ENOMEM;
}

static int read_row(struct partition *partition, uint64_t id, const uint8_t *row, size_t length,
		    uint8_t *text)
{
	struct object *object;
	uint8_t aad[ROW_AAD];
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
	row_aad(partition, id, object->generation, aad);
	ret = aead_open(partition->row_key, aad, sizeof(aad), row + ROW_CLEAR, length - ROW_CLEAR,
			text);
	if (!ret)
		ret = hash_row(partition->hash_key, id, object->generation,
			       row + length - AEAD_TAG_SIZE, object->digest);
	if (!ret)
		ret = fill_object(object, text, length - ROW_CLEAR - AEAD_OVERHEAD);
	if (!ret)
		ret = index_insert(&partition->index, object);
	if (!ret)
		partition->token_bytes += length;
	object_put(object);
	return ret;
}

CK_RV store_unlock_object(struct partition *partition, const struct object *locked,
			  struct object **unlocked)
{
	size_t length = locked->sealed_length;
	struct object *object = object_new();
	uint8_t *text = OPENSSL_malloc(length + 1);
	uint8_t aad[ROW_AAD];
	CK_RV rv = CKR_HOST_MEMORY;

	if (!object || !text)
		goto out;
	object->token = object->is_private = true;
	object->handle = locked->handle;
	object->generation = locked->generation;
	object->stored_length = locked->stored_length;
	memcpy(object->digest, locked->digest, sizeof(object->digest));
	object->sealed = OPENSSL_memdup(locked->sealed, length);
	object->sealed_length = length;
	if (!object->sealed)
		goto out;
	rv = CKR_DEVICE_ERROR;
	row_aad(partition, object->handle, object->generation, aad);
	if (aead_open(partition->private_row_key, aad, sizeof(aad), locked->sealed, length, text) <
		    0 ||
	    !hsm_attributes_valid(text, length - AEAD_OVERHEAD, 4)) {
		complain(partition,
			 "object %llu does not open with the user's key; put the newest state back",
			 (unsigned long long)locked->handle);
		goto out;
	}
	rv = attributes_parse(&object->attributes, text, length - AEAD_OVERHEAD);
out:
	OPENSSL_clear_free(text, length + 1);
	if (rv != CKR_OK) {
		object_put(object);
		object = NULL;
	}
	*unlocked = object;
	return rv;
}

/* ---- opening ---- */

/* One reply of BOARD_ROWS. Return: rows in it, or a negative errno. */
static int read_rows(struct partition *partition, const uint8_t *reply, size_t length,
		     uint64_t *after, uint32_t *count, uint8_t *text)
{
	struct board_row row;
	int rows = 0, ret;

	while (length) {
		if (length < sizeof(row))
			return -EPROTO;
		memcpy(&row, reply, sizeof(row));
		reply += sizeof(row);
		length -= sizeof(row);
		if (row.length > length || row.length > BOARD_BLOB_MAX || row.id <= *after)
			return -EPROTO;
		ret = read_row(partition, row.id, reply, row.length, text);
		if (ret < 0) {
			complain(partition,
				 "object %llu does not verify; put the newest state back",
				 (unsigned long long)row.id);
			return ret;
		}
		reply += row.length;
		length -= row.length;
		*after = row.id;
		++*count;
		rows++;
	}
	return rows;
}

static void add_digest(struct object *object, void *data)
{
	hash_add(data, object->digest);
}

static int rows_verify(struct partition *partition, uint32_t count)
{
	uint8_t sum[32] = { 0 };

	index_each(&partition->index, add_digest, sum);
	if (count == partition->state.rows && !CRYPTO_memcmp(sum, partition->state.hash, 32))
		return 0;
	complain(partition, "its objects are not those of its header; put the newest state back");
	return -EBADMSG;
}

static int load_rows(struct partition *partition, uint8_t *reply)
{
	struct board_rows request = { .after = 0 };
	struct iovec part = { .iov_base = &request, .iov_len = sizeof(request) };
	uint8_t *text = OPENSSL_malloc(BOARD_BLOB_MAX);
	uint32_t count = 0;
	size_t length;
	int ret;

	if (!text)
		return -ENOMEM;
	memcpy(request.partition, partition->info.id, PARTITION_ID_SIZE);
	do {
		ret = storage_call(BOARD_ROWS, &part, 1, reply, BOARD_MESSAGE_MAX, &length);
		if (ret >= 0)
			ret = read_rows(partition, reply, length, &request.after, &count, text);
	} while (ret > 0);
	OPENSSL_clear_free(text, BOARD_BLOB_MAX);
	return ret < 0 ? ret : rows_verify(partition, count);
}

static int create_header(struct partition *partition, const struct board_open *open)
{
	struct partition_state next;
	CK_RV rv;
	int ret;

	if (open->rows) {
		complain(partition, "it has objects but no header; put the newest state back");
		return -EBADMSG;
	}
	ret = header_create(partition, open->key);
	if (ret < 0)
		return ret;
	ret = identity_create(partition->info.id, &partition->identity,
			      &partition->identity_length);
	if (ret < 0)
		return ret;
	next = partition->state;
	next.counter = open->counter;
	partition->state = next;
	pthread_mutex_lock(&partition->commit_lock);
	rv = store_commit(partition, &next, NULL, 0, false);
	pthread_mutex_unlock(&partition->commit_lock);
	return rv == CKR_OK ? 0 : -EIO;
}

static int check_header(struct partition *partition, const struct board_open *open,
			const uint8_t *header)
{
	int ret = header_read(partition, open->key, header, open->header_length);

	if (ret == -EPROTONOSUPPORT)
		complain(partition,
			 "its header has an unknown version; run the firmware that made it");
	else if (ret < 0)
		complain(partition, "its header does not verify; put the newest state back");
	if (ret < 0)
		return ret;
	if (partition->state.counter == open->counter ||
	    partition->state.counter == open->counter + 1)
		return 0;
	complain(partition, "its header is an old copy (counter %llu, expected %llu)",
		 (unsigned long long)partition->state.counter, (unsigned long long)open->counter);
	return -EBADMSG;
}

static int open_with(struct partition *partition, uint8_t *reply)
{
	struct iovec part = { .iov_base = partition->info.id, .iov_len = PARTITION_ID_SIZE };
	struct board_open open;
	size_t length;
	int ret;

	ret = storage_call(BOARD_OPEN, &part, 1, reply, BOARD_MESSAGE_MAX, &length);
	if (ret < 0)
		return ret;
	if (length < sizeof(open))
		return -EPROTO;
	memcpy(&open, reply, sizeof(open));
	OPENSSL_cleanse(reply, sizeof(open));
	if (open.header_length != length - sizeof(open) ||
	    memcmp(open.partition.id, partition->info.id, PARTITION_ID_SIZE)) {
		ret = -EPROTO;
	} else {
		partition->info = open.partition;
		partition->info.name[BOARD_NAME_MAX - 1] = 0;
		partition->generation = open.generation;
		if (!open.header_length)
			ret = create_header(partition, &open);
		else
			ret = check_header(partition, &open, reply + sizeof(open));
		if (!ret && open.rows)
			ret = load_rows(partition, reply);
		else if (!ret)
			ret = rows_verify(partition, 0);
	}
	OPENSSL_cleanse(&open, sizeof(open));
	return ret;
}

int store_open(struct partition *partition)
{
	uint8_t *reply = OPENSSL_malloc(BOARD_MESSAGE_MAX);
	int ret;

	if (!reply)
		return -ENOMEM;
	ret = open_with(partition, reply);
	OPENSSL_clear_free(reply, BOARD_MESSAGE_MAX);
	if (ret < 0)
		partition->failed = CKR_DEVICE_ERROR;
	return ret;
}

/* ---- committing ---- */

/* Append the change's row to the message. Return: bytes, or a negative errno. */
static int put_change(const struct partition *partition, struct store_change *change,
		      uint8_t *message, size_t room, uint8_t *text)
{
	struct object *object = change->after;
	struct board_change row = { .id = object ? object->handle : change->before->handle };
	int ret;

	if (room < sizeof(row))
		return -E2BIG;
	if (object) {
		object->generation = change->before ? change->before->generation + 1 : 1;
		ret = write_row(partition, object, text, message + sizeof(row), room - sizeof(row));
		if (ret < 0)
			return ret;
		row.length = object->stored_length;
	}
	memcpy(message, &row, sizeof(row));
	return sizeof(row) + row.length;
}

static void account(struct partition_state *next, const struct store_change *change)
{
	if (change->before) {
		hash_subtract(next->hash, change->before->digest);
		next->rows--;
	}
	if (change->after) {
		hash_add(next->hash, change->after->digest);
		next->rows++;
	}
}

/*
 * The rows go to the message behind the room of the largest header, then the header is put in front of
 * them, since it seals their hash. Return: 0 or a negative errno.
 */
static int build(struct partition *partition, struct partition_state *next,
		 struct store_change *changes, size_t count, bool advance, struct iovec part[2])
{
	const size_t header_room = sizeof(struct board_commit) + HEADER_MAX;
	struct board_commit *commit = (struct board_commit *)partition->message;
	uint8_t *rows = partition->message + header_room;
	uint8_t *text = count ? OPENSSL_malloc(BOARD_BLOB_MAX) : NULL;
	size_t used = 0, header_length, i;
	int ret = count && !text ? -ENOMEM : 0;

	for (i = 0; i < count && ret >= 0; i++) {
		ret = put_change(partition, &changes[i], rows + used,
				 BOARD_MESSAGE_MAX - header_room - used, text);
		if (ret < 0)
			break;
		used += ret;
		account(next, &changes[i]);
	}
	OPENSSL_clear_free(text, BOARD_BLOB_MAX);
	if (ret < 0)
		return ret;
	next->commits = advance ? 0 : next->commits + 1;
	next->counter += advance;
	ret = header_write(partition, next, (uint8_t *)(commit + 1), header_room - sizeof(*commit),
			   &header_length);
	if (ret < 0)
		return ret;
	*commit = (struct board_commit){ .flags = advance ? BOARD_COMMIT_ADVANCE : 0,
					 .header_length = header_length,
					 .changes = count };
	memcpy(commit->partition, partition->info.id, PARTITION_ID_SIZE);
	part[0] = (struct iovec){ .iov_base = commit, .iov_len = sizeof(*commit) + header_length };
	part[1] = (struct iovec){ .iov_base = rows, .iov_len = used };
	return 0;
}

static CK_RV commit_error(int error)
{
	switch (error) {
	case -ENOMEM:
		return CKR_HOST_MEMORY;
	case -ENOSPC:
	case -EDQUOT:
	case -E2BIG:
	case -EMSGSIZE:
		return CKR_DEVICE_MEMORY;
	case -ENOENT:
		return CKR_TOKEN_NOT_PRESENT;
	default:
		return CKR_DEVICE_ERROR;
	}
}

/*
 * The key of private rows, for this commit: a logout meanwhile wipes the partition's own copy, and nothing must
 * be sealed under what it leaves.
 */
static bool take_commit_key(struct partition *partition)
{
	bool users;

	pthread_mutex_lock(&partition->lock);
	users = partition->users > 0;
	memcpy(partition->commit_key, partition->private_row_key, SECRET_SIZE);
	pthread_mutex_unlock(&partition->lock);
	return users;
}

static bool any_private(const struct store_change *changes, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (changes[i].after && changes[i].after->is_private)
			return true;
	return false;
}

CK_RV store_commit(struct partition *partition, struct partition_state *next,
		   struct store_change *changes, size_t count, bool advance)
{
	struct board_committed committed;
	struct iovec part[2];
	size_t length;
	int ret;

	if (partition->dead)
		return CKR_TOKEN_NOT_PRESENT;
	if (!partition->message)
		partition->message = OPENSSL_malloc(BOARD_MESSAGE_MAX);
	if (!partition->message)
		return CKR_HOST_MEMORY;
	if (any_private(changes, count) && !take_commit_key(partition))
		return CKR_USER_NOT_LOGGED_IN;
	advance = advance || next->commits >= COMMITS_TO_ADVANCE;
	ret = build(partition, next, changes, count, advance, part);
	OPENSSL_cleanse(partition->commit_key, SECRET_SIZE);
	if (!ret)
		ret = storage_call(BOARD_COMMIT, part, count ? 2 : 1, &committed, sizeof(committed),
				   &length);
	/* Whether it is on disk nobody knows: what is in memory must not be built on. */
	if (ret == -EPIPE || ret == -EPROTO)
		partition->failed = CKR_DEVICE_ERROR;
	if (ret < 0)
		return commit_error(ret);
	if (length != sizeof(committed) || committed.counter != next->counter) {
		complain(partition, "the board's counter and the header's have parted");
		partition->failed = CKR_DEVICE_ERROR;
		return CKR_DEVICE_ERROR;
	}
	pthread_mutex_lock(&partition->lock);
	partition->state = *next;
	pthread_mutex_unlock(&partition->lock);
	return CKR_OK;
}
