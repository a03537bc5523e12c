// SPDX-License-Identifier: Apache-2.0
/*
 * A partition's header as bytes: in the clear the format version and the storage key wrapped under the
 * board's key, then, sealed, sections (header.h): struct partition_state and the partition's identity.
 * The form is described in Documentation/commands.rst, "What is stored".
 */
#include <errno.h>
#include <string.h>
#include <openssl/rand.h>
#include "audit_log.h"
#include "mask.h"
#include "migrate.h"
#include "officers.h"
#include "users.h"

#define HEADER_MAGIC	"IHSMPART"
#define HEADER_VERSION	4
#define HEADER_CLEAR	(8 + 4 + SECRET_SIZE + AEAD_OVERHEAD)
#define HEADER_BODY_MAX (HEADER_MAX - HEADER_CLEAR - AEAD_OVERHEAD)
#define SECTION_HEAD	8

/* ---- walking ---- */

static uint8_t *step(struct header_cursor *cursor, size_t length)
{
	uint8_t *p = cursor->p;

	if (!cursor->error && length > cursor->left)
		cursor->error = -EBADMSG;
	if (cursor->error)
		return NULL;
	cursor->p += length;
	cursor->left -= length;
	return p;
}

void header_put(struct header_cursor *cursor, const void *value, size_t length)
{
	uint8_t *p = step(cursor, length);

	if (p && length)
		memcpy(p, value, length);
}

void header_get(struct header_cursor *cursor, void *value, size_t length)
{
	const uint8_t *p = step(cursor, length);

	if (p && length)
		memcpy(value, p, length);
}

void header_put32(struct header_cursor *cursor, uint32_t value)
{
	value = htole32(value);
	header_put(cursor, &value, sizeof(value));
}

void header_put64(struct header_cursor *cursor, uint64_t value)
{
	value = htole64(value);
	header_put(cursor, &value, sizeof(value));
}

uint32_t header_get32(struct header_cursor *cursor)
{
	uint32_t value = 0;

	header_get(cursor, &value, sizeof(value));
	return le32toh(value);
}

uint64_t header_get64(struct header_cursor *cursor)
{
	uint64_t value = 0;

	header_get(cursor, &value, sizeof(value));
	return le64toh(value);
}

/* ---- sections ---- */

static void put_state(struct header_cursor *cursor, const struct partition *partition,
		      const struct partition_state *state)
{
	(void)partition;
	header_put32(cursor, state->flags);
	header_put(cursor, state->label, sizeof(state->label));
	header_put64(cursor, state->next_id);
	header_put64(cursor, state->counter);
	header_put32(cursor, state->commits);
	header_put32(cursor, state->rows);
	header_put(cursor, state->hash, sizeof(state->hash));
}

static void get_state(struct header_cursor *cursor, struct partition *partition,
		      struct partition_state *state)
{
	(void)partition;
	state->flags = header_get32(cursor);
	header_get(cursor, state->label, sizeof(state->label));
	state->next_id = header_get64(cursor);
	state->counter = header_get64(cursor);
	state->commits = header_get32(cursor);
	state->rows = header_get32(cursor);
	header_get(cursor, state->hash, sizeof(state->hash));
}

static void put_so(struct header_cursor *cursor, const struct partition *partition,
		   const struct partition_state *state)
{
	(void)partition;
	credential_write(cursor, &state->so);
}

static void get_so(struct header_cursor *cursor, struct partition *partition,
		   struct partition_state *state)
{
	(void)partition;
	credential_read(cursor, &state->so);
}

static void put_user(struct header_cursor *cursor, const struct partition *partition,
		     const struct partition_state *state)
{
	(void)partition;
	credential_write(cursor, &state->user);
}

static void get_user(struct header_cursor *cursor, struct partition *partition,
		     struct partition_state *state)
{
	(void)partition;
	credential_read(cursor, &state->user);
}

static void put_identity(struct header_cursor *cursor, const struct partition *partition,
			 const struct partition_state *state)
{
	(void)state;
	header_put(cursor, partition->identity, partition->identity_length);
}

static void get_identity(struct header_cursor *cursor, struct partition *partition,
			 struct partition_state *state)
{
	size_t length = cursor->left;

	(void)state;
	partition->identity = OPENSSL_malloc(length + 1);
	if (!partition->identity) {
		cursor->error = -ENOMEM;
		return;
	}
	header_get(cursor, partition->identity, length);
	partition->identity_length = length;
}

static void put_ticks(struct header_cursor *cursor, const struct partition *partition,
		      const struct partition_state *state)
{
	(void)partition;
	if (state->ticks)
		header_put64(cursor, state->ticks);
}

static void get_ticks(struct header_cursor *cursor, struct partition *partition,
		      struct partition_state *state)
{
	(void)partition;
	state->ticks = header_get64(cursor);
}

/* In ascending order of types, which is the order in the body */
static const struct header_section sections[] = {
	{ HEADER_SECTION_STATE, true, put_state, get_state },
	{ HEADER_SECTION_SO, true, put_so, get_so },
	{ HEADER_SECTION_USER, true, put_user, get_user },
	{ HEADER_SECTION_IDENTITY, true, put_identity, get_identity },
	{ HEADER_SECTION_USERS, false, users_write, users_read },
	{ HEADER_SECTION_TICKS, false, put_ticks, get_ticks },
	{ HEADER_SECTION_MASKS, false, mask_put_state, mask_get_state },
	{ HEADER_SECTION_OFFICERS, false, officers_write, officers_read },
	{ HEADER_SECTION_AUDIT, false, audit_put_state, audit_get_state },
	{ HEADER_SECTION_MIGRATE, false, migrate_put_state, migrate_get_state },
};

#define SECTIONS (sizeof(sections) / sizeof(sections[0]))

static void write_section(struct header_cursor *body, const struct header_section *section,
			  const struct partition *partition, const struct partition_state *state)
{
	struct header_cursor head = *body, text;

	header_put32(body, section->type);
	header_put32(body, 0);
	text = *body;
	section->write(&text, partition, state);
	if (!text.error && text.left == body->left && !section->required) {
		*body = head;
		return;
	}
	header_put32(&head, section->type);
	header_put32(&head, body->left - text.left);
	*body = text;
}

/* The sections of a body. They come in the table's order: none twice, and none that this firmware does not know. */
static int read_sections(struct header_cursor *body, struct partition *partition)
{
	struct header_cursor text;
	uint32_t type, length;
	size_t i = 0;

	while (body->left) {
		type = header_get32(body);
		length = header_get32(body);
		text = (struct header_cursor){ .p = step(body, length), .left = length };
		if (body->error)
			return body->error;
		for (; i < SECTIONS && sections[i].type != type; i++)
			if (sections[i].required)
				return -EBADMSG;
		/* What it does not know it would lose with the next commit. */
		if (i == SECTIONS)
			return -EPROTONOSUPPORT;
		sections[i++].read(&text, partition, &partition->state);
		if (text.error || text.left)
			return text.error ? text.error : -EBADMSG;
	}
	for (; i < SECTIONS; i++)
		if (sections[i].required)
			return -EBADMSG;
	return 0;
}

int header_body_write(const struct partition *partition, const struct partition_state *state,
		      uint8_t *out, size_t room, size_t *length)
{
	struct header_cursor text = { .p = out, .left = room };
	size_t i;

	for (i = 0; i < SECTIONS; i++)
		write_section(&text, &sections[i], partition, state);
	*length = room - text.left;
	return text.error ? -EMSGSIZE : 0;
}

int header_body_read(struct partition *partition, uint8_t *body, size_t length)
{
	struct header_cursor text = { .p = body, .left = length };

	return read_sections(&text, partition);
}

/* ---- the whole ---- */

/* What the header is bound to: partition, its generation, the format */
static void header_aad(const struct partition *partition, uint8_t aad[PARTITION_ID_SIZE + 12])
{
	struct header_cursor cursor = { .p = aad, .left = PARTITION_ID_SIZE + 12 };

	header_put(&cursor, partition->info.id, PARTITION_ID_SIZE);
	header_put64(&cursor, partition->generation);
	header_put32(&cursor, HEADER_VERSION);
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

int header_wrap(struct partition *partition, const uint8_t *key)
{
	uint8_t aad[PARTITION_ID_SIZE + 12];

	header_aad(partition, aad);
	return aead_seal(key, aad, sizeof(aad), partition->storage_key, SECRET_SIZE,
			 partition->wrapped_key);
}

int header_create(struct partition *partition, const uint8_t *key)
{
	if (RAND_priv_bytes_ex(mech_libctx(), partition->storage_key, SECRET_SIZE, 0) != 1 ||
	    header_wrap(partition, key) < 0)
		return -EIO;
	memset(&partition->state, 0, sizeof(partition->state));
	memset(partition->state.label, ' ', LABEL_SIZE);
	partition->state.next_id = 1;
	return header_keys(partition);
}

int header_write(const struct partition *partition, const struct partition_state *state,
		 uint8_t *out, size_t room, size_t *length)
{
	uint8_t aad[PARTITION_ID_SIZE + 12], *body = OPENSSL_malloc(HEADER_BODY_MAX);
	struct header_cursor head = { .p = out, .left = room };
	size_t n;
	int ret;

	if (!body)
		return -ENOMEM;
	ret = header_body_write(partition, state, body, HEADER_BODY_MAX, &n);
	header_put(&head, HEADER_MAGIC, 8);
	header_put32(&head, HEADER_VERSION);
	header_put(&head, partition->wrapped_key, sizeof(partition->wrapped_key));
	if (head.error || head.left < n + AEAD_OVERHEAD)
		ret = -EMSGSIZE;
	if (!ret) {
		header_aad(partition, aad);
		ret = aead_seal(partition->header_key, aad, sizeof(aad), body, n, head.p);
	}
	OPENSSL_clear_free(body, n);
	*length = HEADER_CLEAR + n + AEAD_OVERHEAD;
	return ret;
}

static int open_body(struct partition *partition, const uint8_t *in, size_t length)
{
	uint8_t aad[PARTITION_ID_SIZE + 12], *body = OPENSSL_malloc(length);
	struct header_cursor text = { .p = body, .left = length - AEAD_OVERHEAD };
	int ret;

	if (!body)
		return -ENOMEM;
	header_aad(partition, aad);
	ret = aead_open(partition->header_key, aad, sizeof(aad), in, length, body);
	if (!ret)
		ret = read_sections(&text, partition);
	OPENSSL_clear_free(body, length);
	return ret;
}

int header_read(struct partition *partition, const uint8_t *key, const uint8_t *in, size_t length)
{
	uint8_t aad[PARTITION_ID_SIZE + 12];

	if (length < HEADER_CLEAR + AEAD_OVERHEAD || length > HEADER_MAX ||
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
	return open_body(partition, in + HEADER_CLEAR, length - HEADER_CLEAR);
}
