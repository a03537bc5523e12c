// SPDX-License-Identifier: Apache-2.0
/*
 * Records of the audit log as bytes: a CBOR map (RFC 8949, 4.2.1) that has one encoding only, so that what a reader
 * hashes is what the firmware hashed. The tables are in hsm/audit.h. Also the head that is signed.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <openssl/evp.h>
#include <hsm/audit.h>

/* ---- tables ---- */

#define FIELD(key, member, kind, meaning) \
	{ key, HSM_AUDIT_##kind, offsetof(struct hsm_audit_record, member), #member, meaning },
static const struct hsm_audit_field fields[] = { HSM_AUDIT_FIELD_TABLE(FIELD) };

#define EVENT(number, NAME, name, severity, flags, meaning) \
	{ number, HSM_AUDIT_##severity, flags, name, meaning },
static const struct hsm_audit_info events[] = { HSM_AUDIT_EVENT_TABLE(EVENT) };

#define FIELDS (sizeof(fields) / sizeof(fields[0]))
#define EVENTS (sizeof(events) / sizeof(events[0]))

const struct hsm_audit_field *hsm_audit_field_at(size_t index)
{
	return index < FIELDS ? &fields[index] : NULL;
}

const struct hsm_audit_info *hsm_audit_event_at(size_t index)
{
	return index < EVENTS ? &events[index] : NULL;
}

const struct hsm_audit_info *hsm_audit_event(uint64_t number)
{
	size_t i;

	for (i = 0; i < EVENTS; i++)
		if (events[i].number == number)
			return &events[i];
	return NULL;
}

/* ---- writing ---- */

enum major {
	MAJOR_UINT = 0,
	MAJOR_BYTES = 2,
	MAJOR_TEXT = 3,
	MAJOR_MAP = 5,
};

struct out {
	uint8_t *at;
	size_t left;
	bool full;
};

static void put(struct out *out, const void *bytes, size_t length)
{
	if (length > out->left) {
		out->full = true;
		return;
	}
	if (length)
		memcpy(out->at, bytes, length);
	out->at += length;
	out->left -= length;
}

static void put_head(struct out *out, enum major major, uint64_t value)
{
	unsigned int bytes = value > UINT32_MAX	  ? 8
			     : value > UINT16_MAX ? 4
			     : value > UINT8_MAX  ? 2
			     : value > 23	  ? 1
						  : 0;
	uint8_t head[9] = { (uint8_t)(major << 5) };
	unsigned int i;

	if (!bytes)
		head[0] |= (uint8_t)value;
	else
		head[0] |= bytes == 8 ? 27 : bytes == 4 ? 26 : bytes == 2 ? 25 : 24;
	for (i = 0; i < bytes; i++)
		head[1 + i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
	put(out, head, 1 + bytes);
}

static void put_string(struct out *out, enum major major, const void *bytes, size_t length)
{
	put_head(out, major, length);
	put(out, bytes, length);
}

static const void *member(const struct hsm_audit_record *record,
			  const struct hsm_audit_field *field)
{
	return (const uint8_t *)record + field->offset;
}

static bool is_there(const struct hsm_audit_record *record, const struct hsm_audit_field *field)
{
	const void *value = member(record, field);
	const char *text;

	switch (field->kind) {
	case HSM_AUDIT_BYTES:
		return ((const struct hsm_audit_bytes *)value)->length != 0;
	case HSM_AUDIT_TEXT:
		text = *(const char *const *)value;
		return text && *text;
	default:
		return *(const uint64_t *)value != 0;
	}
}

static void put_field(struct out *out, const struct hsm_audit_record *record,
		      const struct hsm_audit_field *field)
{
	const void *value = member(record, field);
	const struct hsm_audit_bytes *bytes = value;

	put_head(out, MAJOR_UINT, field->key);
	switch (field->kind) {
	case HSM_AUDIT_BYTES:
		put_string(out, MAJOR_BYTES, bytes->data, bytes->length);
		break;
	case HSM_AUDIT_TEXT:
		put_string(out, MAJOR_TEXT, *(const char *const *)value,
			   strlen(*(const char *const *)value));
		break;
	default:
		put_head(out, MAJOR_UINT, *(const uint64_t *)value);
	}
}

long hsm_audit_encode(const struct hsm_audit_record *record, uint8_t *bytes, size_t room)
{
	struct out out = { .at = bytes, .left = room };
	size_t i, count = 0;

	for (i = 0; i < FIELDS; i++)
		count += is_there(record, &fields[i]);
	put_head(&out, MAJOR_MAP, count);
	for (i = 0; i < FIELDS; i++)
		if (is_there(record, &fields[i]))
			put_field(&out, record, &fields[i]);
	return out.full ? -EMSGSIZE : (long)(out.at - bytes);
}

/* ---- reading ---- */

struct in {
	const uint8_t *at;
	size_t left;
	bool bad;
};

static uint64_t get_head(struct in *in, enum major major)
{
	unsigned int bytes, i;
	uint64_t value = 0;
	uint8_t head;

	if (in->bad || !in->left || (*in->at >> 5) != major || (*in->at & 31) > 27) {
		in->bad = true;
		return 0;
	}
	head = *in->at & 31;
	bytes = head < 24 ? 0 : 1U << (head - 24);
	if (in->left < 1 + bytes) {
		in->bad = true;
		return 0;
	}
	for (i = 0; i < bytes; i++)
		value = value << 8 | in->at[1 + i];
	if (!bytes)
		value = head;
	/* Only the shortest form is one that we write. */
	if ((bytes == 1 && value < 24) || (bytes > 1 && !(value >> (4 * bytes))))
		in->bad = true;
	in->at += 1 + bytes;
	in->left -= 1 + bytes;
	return value;
}

static const uint8_t *get_string(struct in *in, enum major major, size_t *length)
{
	uint64_t size = get_head(in, major);
	const uint8_t *bytes = in->at;

	if (in->bad || size > in->left) {
		in->bad = true;
		return NULL;
	}
	in->at += size;
	in->left -= size;
	*length = size;
	return bytes;
}

static void get_field(struct in *in, char **texts, struct hsm_audit_record *record,
		      const struct hsm_audit_field *field)
{
	void *value = (uint8_t *)record + field->offset;
	struct hsm_audit_bytes *bytes = value;
	const uint8_t *text;
	size_t length = 0;

	switch (field->kind) {
	case HSM_AUDIT_BYTES:
		bytes->data = get_string(in, MAJOR_BYTES, &length);
		bytes->length = length;
		break;
	case HSM_AUDIT_TEXT:
		text = get_string(in, MAJOR_TEXT, &length);
		if (in->bad || memchr(text, 0, length)) {
			in->bad = true;
			return;
		}
		memcpy(*texts, text, length);
		(*texts)[length] = 0;
		*(const char **)value = *texts;
		*texts += length + 1;
		break;
	default:
		*(uint64_t *)value = get_head(in, MAJOR_UINT);
	}
	/* What is zero or empty is left out. */
	if (!in->bad && !is_there(record, field))
		in->bad = true;
}

int hsm_audit_decode(const uint8_t *bytes, size_t length, size_t *used, char *texts,
		     struct hsm_audit_record *record)
{
	struct in in = { .at = bytes, .left = length };
	uint64_t count = get_head(&in, MAJOR_MAP), key;
	size_t i = 0;

	memset(record, 0, sizeof(*record));
	while (count-- && !in.bad) {
		key = get_head(&in, MAJOR_UINT);
		while (i < FIELDS && fields[i].key < key)
			i++;
		if (in.bad || i == FIELDS || fields[i].key != key)
			return -EBADMSG;
		get_field(&in, &texts, record, &fields[i++]);
	}
	*used = length - in.left;
	return in.bad || !record->sequence || !record->event ? -EBADMSG : 0;
}

/* ---- the chain ---- */

int hsm_audit_extend(struct hsm_audit_chain *chain, const EVP_MD *sha384, const uint8_t *bytes,
		     size_t length)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int done = ctx && EVP_DigestInit_ex(ctx, sha384, NULL) == 1 &&
		   EVP_DigestUpdate(ctx, chain->head, HSM_AUDIT_HASH) == 1 &&
		   EVP_DigestUpdate(ctx, bytes, length) == 1 &&
		   EVP_DigestFinal_ex(ctx, chain->head, NULL) == 1;

	EVP_MD_CTX_free(ctx);
	chain->sequence++;
	return done ? 0 : -EIO;
}

/* ---- the head ---- */

#define HEAD_VERSION 1

enum head_key {
	HEAD_KEY_VERSION = 1,
	HEAD_KEY_LOG,
	HEAD_KEY_BOARD,
	HEAD_KEY_PARTITION,
	HEAD_KEY_FIRST,
	HEAD_KEY_BASE,
	HEAD_KEY_SEQUENCE,
	HEAD_KEY_HEAD,
	HEAD_KEY_TIME,
	HEAD_KEY_NONCE,
};

static void put_number(struct out *out, enum head_key key, uint64_t value)
{
	put_head(out, MAJOR_UINT, key);
	put_head(out, MAJOR_UINT, value);
}

static void put_bytes(struct out *out, enum head_key key, const void *bytes, size_t length)
{
	put_head(out, MAJOR_UINT, key);
	put_string(out, MAJOR_BYTES, bytes, length);
}

size_t hsm_audit_head_encode(const struct hsm_audit_head *head, uint8_t bytes[HSM_AUDIT_HEAD_MAX])
{
	struct out out = { .at = bytes, .left = HSM_AUDIT_HEAD_MAX };

	put_head(&out, MAJOR_MAP, head->nonce_length ? HEAD_KEY_NONCE : HEAD_KEY_TIME);
	put_number(&out, HEAD_KEY_VERSION, HEAD_VERSION);
	put_bytes(&out, HEAD_KEY_LOG, head->log, sizeof(head->log));
	put_bytes(&out, HEAD_KEY_BOARD, head->board, sizeof(head->board));
	put_bytes(&out, HEAD_KEY_PARTITION, head->partition, sizeof(head->partition));
	put_number(&out, HEAD_KEY_FIRST, head->first);
	put_bytes(&out, HEAD_KEY_BASE, head->base, sizeof(head->base));
	put_number(&out, HEAD_KEY_SEQUENCE, head->chain.sequence);
	put_bytes(&out, HEAD_KEY_HEAD, head->chain.head, sizeof(head->chain.head));
	put_number(&out, HEAD_KEY_TIME, head->time);
	if (head->nonce_length)
		put_bytes(&out, HEAD_KEY_NONCE, head->nonce, head->nonce_length);
	return (size_t)(out.at - bytes);
}

static uint64_t get_number(struct in *in, enum head_key key)
{
	if (get_head(in, MAJOR_UINT) != key)
		in->bad = true;
	return get_head(in, MAJOR_UINT);
}

static size_t get_bytes(struct in *in, enum head_key key, uint8_t *out, size_t least, size_t most)
{
	const uint8_t *bytes;
	size_t length = 0;

	if (get_head(in, MAJOR_UINT) != key)
		in->bad = true;
	bytes = get_string(in, MAJOR_BYTES, &length);
	if (in->bad || length < least || length > most) {
		in->bad = true;
		return 0;
	}
	memcpy(out, bytes, length);
	return length;
}

int hsm_audit_head_decode(const uint8_t *bytes, size_t length, struct hsm_audit_head *head)
{
	struct in in = { .at = bytes, .left = length };
	uint64_t count = get_head(&in, MAJOR_MAP);

	memset(head, 0, sizeof(*head));
	if (get_number(&in, HEAD_KEY_VERSION) != HEAD_VERSION)
		return -EBADMSG;
	get_bytes(&in, HEAD_KEY_LOG, head->log, sizeof(head->log), sizeof(head->log));
	get_bytes(&in, HEAD_KEY_BOARD, head->board, sizeof(head->board), sizeof(head->board));
	get_bytes(&in, HEAD_KEY_PARTITION, head->partition, sizeof(head->partition),
		  sizeof(head->partition));
	head->first = get_number(&in, HEAD_KEY_FIRST);
	get_bytes(&in, HEAD_KEY_BASE, head->base, sizeof(head->base), sizeof(head->base));
	head->chain.sequence = get_number(&in, HEAD_KEY_SEQUENCE);
	get_bytes(&in, HEAD_KEY_HEAD, head->chain.head, sizeof(head->chain.head),
		  sizeof(head->chain.head));
	head->time = get_number(&in, HEAD_KEY_TIME);
	if (count == HEAD_KEY_NONCE)
		head->nonce_length = get_bytes(&in, HEAD_KEY_NONCE, head->nonce,
					       HSM_AUDIT_NONCE_MIN, HSM_AUDIT_NONCE_MAX);
	else if (count != HEAD_KEY_TIME)
		return -EBADMSG;
	return in.bad || in.left ? -EBADMSG : 0;
}
