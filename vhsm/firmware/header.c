// SPDX-License-Identifier: Apache-2.0
/*
 * A partition's header as bytes: in the clear the format version and the storage key wrapped under the
 * board's key, then, sealed, all of struct partition_state and the partition's identity. The form is
 * described in Documentation/commands.rst, "What is stored".
 */
#include <errno.h>
#include <string.h>
#include <openssl/rand.h>
#include "commands.h"

#define HEADER_MAGIC	"IHSMPART"
#define HEADER_VERSION	1
#define HEADER_CLEAR	(8 + 4 + SECRET_SIZE + AEAD_OVERHEAD)
#define HEADER_BODY_MAX 8192

/* Bounded walk through the body, the same for both directions */
struct cursor {
	uint8_t *p;
	size_t left;
	int error;
};

static uint8_t *step(struct cursor *cursor, size_t length)
{
	uint8_t *p = cursor->p;

	if (cursor->error || length > cursor->left) {
		cursor->error = -EBADMSG;
		return NULL;
	}
	cursor->p += length;
	cursor->left -= length;
	return p;
}

static void put(struct cursor *cursor, const void *value, size_t length)
{
	uint8_t *p = step(cursor, length);

	if (p)
		memcpy(p, value, length);
}

static void get(struct cursor *cursor, void *value, size_t length)
{
	const uint8_t *p = step(cursor, length);

	if (p)
		memcpy(value, p, length);
}

static void put32(struct cursor *cursor, uint32_t value)
{
	value = htole32(value);
	put(cursor, &value, sizeof(value));
}

static void put64(struct cursor *cursor, uint64_t value)
{
	value = htole64(value);
	put(cursor, &value, sizeof(value));
}

static uint32_t get32(struct cursor *cursor)
{
	uint32_t value = 0;

	get(cursor, &value, sizeof(value));
	return le32toh(value);
}

static uint64_t get64(struct cursor *cursor)
{
	uint64_t value = 0;

	get(cursor, &value, sizeof(value));
	return le64toh(value);
}

static void put_credential(struct cursor *cursor, const struct credential *credential)
{
	put32(cursor, credential->set);
	put32(cursor, credential->failures);
	put32(cursor, credential->kdf);
	put32(cursor, credential->iterations);
	put32(cursor, credential->memory);
	put(cursor, credential->salt, sizeof(credential->salt));
	put(cursor, credential->wrapped, sizeof(credential->wrapped));
}

static void get_credential(struct cursor *cursor, struct credential *credential)
{
	credential->set = get32(cursor);
	credential->failures = get32(cursor);
	credential->kdf = get32(cursor);
	credential->iterations = get32(cursor);
	credential->memory = get32(cursor);
	get(cursor, credential->salt, sizeof(credential->salt));
	get(cursor, credential->wrapped, sizeof(credential->wrapped));
}

static void put_state(struct cursor *cursor, const struct partition_state *state)
{
	put32(cursor, state->flags);
	put(cursor, state->label, sizeof(state->label));
	put_credential(cursor, &state->so);
	put_credential(cursor, &state->user);
	put64(cursor, state->next_id);
	put64(cursor, state->counter);
	put32(cursor, state->commits);
	put32(cursor, state->rows);
	put(cursor, state->hash, sizeof(state->hash));
}

static void get_state(struct cursor *cursor, struct partition_state *state)
{
	state->flags = get32(cursor);
	get(cursor, state->label, sizeof(state->label));
	get_credential(cursor, &state->so);
	get_credential(cursor, &state->user);
	state->next_id = get64(cursor);
	state->counter = get64(cursor);
	state->commits = get32(cursor);
	state->rows = get32(cursor);
	get(cursor, state->hash, sizeof(state->hash));
}

/* What the header is bound to: partition, its generation, the format */
static void header_aad(const struct partition *partition, uint8_t aad[PARTITION_ID_SIZE + 12])
{
	struct cursor cursor = { .p = aad, .left = PARTITION_ID_SIZE + 12 };

	put(&cursor, partition->info.id, PARTITION_ID_SIZE);
	put64(&cursor, partition->generation);
	put32(&cursor, HEADER_VERSION);
}

int header_keys(struct partition *partition)
{
	const uint8_t *key = partition->storage_key;
	const uint8_t *id = partition->info.id;

	if (derive_key(key, id, PARTITION_ID_SIZE, "header", partition->header_key) < 0 ||
	    derive_key(key, id, PARTITION_ID_SIZE, "row", partition->row_key) < 0)
		return -EIO;
	return derive_key(key, id, PARTITION_ID_SIZE, "hash", partition->hash_key);
}

int header_create(struct partition *partition, const uint8_t *key)
{
	uint8_t aad[PARTITION_ID_SIZE + 12];

	header_aad(partition, aad);
	if (RAND_priv_bytes_ex(mech_libctx(), partition->storage_key, SECRET_SIZE, 0) != 1 ||
	    aead_seal(key, aad, sizeof(aad), partition->storage_key, SECRET_SIZE,
		      partition->wrapped_key) < 0)
		return -EIO;
	memset(&partition->state, 0, sizeof(partition->state));
	memset(partition->state.label, ' ', LABEL_SIZE);
	partition->state.next_id = 1;
	return header_keys(partition);
}

int header_write(const struct partition *partition, const struct partition_state *state,
		 uint8_t *out, size_t room, size_t *length)
{
	uint8_t body[HEADER_BODY_MAX], aad[PARTITION_ID_SIZE + 12];
	struct cursor text = { .p = body, .left = sizeof(body) };
	struct cursor head = { .p = out, .left = room };
	size_t n;
	int ret;

	put_state(&text, state);
	put32(&text, partition->identity_length);
	put(&text, partition->identity, partition->identity_length);
	n = sizeof(body) - text.left;
	put(&head, HEADER_MAGIC, 8);
	put32(&head, HEADER_VERSION);
	put(&head, partition->wrapped_key, sizeof(partition->wrapped_key));
	if (text.error || head.error || head.left < n + AEAD_OVERHEAD)
		return -EMSGSIZE;
	header_aad(partition, aad);
	ret = aead_seal(partition->header_key, aad, sizeof(aad), body, n, head.p);
	OPENSSL_cleanse(body, sizeof(body));
	*length = HEADER_CLEAR + n + AEAD_OVERHEAD;
	return ret;
}

static int read_body(struct partition *partition, struct cursor *text)
{
	get_state(text, &partition->state);
	partition->identity_length = get32(text);
	if (text->error || partition->identity_length != text->left)
		return -EBADMSG;
	partition->identity = OPENSSL_malloc(text->left + 1);
	if (!partition->identity)
		return -ENOMEM;
	memcpy(partition->identity, text->p, text->left);
	return 0;
}

int header_read(struct partition *partition, const uint8_t *key, const uint8_t *in, size_t length)
{
	uint8_t body[HEADER_BODY_MAX], aad[PARTITION_ID_SIZE + 12];
	struct cursor text = { .p = body };
	int ret;

	if (length < HEADER_CLEAR + AEAD_OVERHEAD || length > HEADER_CLEAR + sizeof(body) ||
	    memcmp(in, HEADER_MAGIC, 8))
		return -EBADMSG;
	if (hsm_get_le32(in + 8) != HEADER_VERSION)
		return -EPROTONOSUPPORT;
	memcpy(partition->wrapped_key, in + 12, sizeof(partition->wrapped_key));
	header_aad(partition, aad);
	if (aead_open(key, aad, sizeof(aad), partition->wrapped_key, sizeof(partition->wrapped_key),
		      partition->storage_key) < 0)
		return -EBADMSG;
	if (header_keys(partition) < 0)
		return -EIO;
	ret = aead_open(partition->header_key, aad, sizeof(aad), in + HEADER_CLEAR,
			length - HEADER_CLEAR, body);
	text.left = length - HEADER_CLEAR - AEAD_OVERHEAD;
	if (!ret)
		ret = read_body(partition, &text);
	OPENSSL_cleanse(body, sizeof(body));
	return ret;
}
