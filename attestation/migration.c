// SPDX-License-Identifier: Apache-2.0
/*
 * The documents of migration and backup as CBOR, by the tables of hsm/migration.h: one writer and one
 * reader for all of them. What is read has all fields of its kind and nothing else.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <hsm/cose.h>
#include <hsm/migration.h>

enum field_kind {
	UINT,
	FIXED,
	BYTES,
	TEXT,
};

struct field {
	int64_t key;
	enum field_kind kind;
	size_t offset;
	size_t size;
};

#define ROW(key_, name_, kind_, size_, meaning_)                    \
	{ .key = (key_),                                            \
	  .kind = (kind_),                                          \
	  .offset = offsetof(struct hsm_migration_document, name_), \
	  .size = (size_) },
static const struct field fields[] = { HSM_MIGRATION_FIELDS(ROW) };
#undef ROW

#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static const struct {
	const char *type;
	const char *word;
	const char *meaning;
	uint32_t fields;
} kinds[] = {
#define ROW(kind_, word_, fields_, meaning_)                                       \
	[HSM_MIGRATION_##kind_] = { .type = "application/vnd.ihsm." word_ "+cbor", \
				    .word = (word_),                               \
				    .meaning = (meaning_),                         \
				    .fields = (fields_) | HSM_MIGRATION_BIT(version) },
	HSM_MIGRATION_KINDS(ROW)
#undef ROW
};

const char *hsm_migration_type(enum hsm_migration_kind kind)
{
	return kinds[kind].type;
}

const char *hsm_migration_word(enum hsm_migration_kind kind)
{
	return kinds[kind].word;
}

bool hsm_migration_has(enum hsm_migration_kind kind, enum hsm_migration_key key)
{
	return kinds[kind].fields & 1U << key;
}

const char *hsm_migration_meaning(enum hsm_migration_kind kind)
{
	return kinds[kind].meaning;
}

const char *hsm_migration_phase_name(unsigned int phase)
{
	static const char *const names[] = {
#define ROW(number_, name_, meaning_) [number_] = #name_,
		HSM_MIGRATION_PHASES(ROW)
#undef ROW
	};

	return phase < sizeof(names) / sizeof(names[0]) ? names[phase] : NULL;
}

size_t hsm_migration_info(const char *label, const uint8_t *first, const uint8_t *second,
			  uint8_t info[HSM_MIGRATION_INFO_MAX])
{
	size_t length = strlen(label);

	memcpy(info, label, length);
	if (first) {
		memcpy(info + length, first, HSM_MIGRATION_HASH);
		length += HSM_MIGRATION_HASH;
	}
	if (second) {
		memcpy(info + length, second, HSM_MIGRATION_HASH);
		length += HSM_MIGRATION_HASH;
	}
	return length;
}

static bool has(enum hsm_migration_kind kind, const struct field *field)
{
	return hsm_migration_has(kind, (enum hsm_migration_key)field->key);
}

static size_t count_of(enum hsm_migration_kind kind)
{
	return (size_t)__builtin_popcount(kinds[kind].fields);
}

/* ---- writing ---- */

static cbor_item_t *value_of(const struct hsm_migration_document *document,
			     const struct field *field)
{
	const void *member = (const uint8_t *)document + field->offset;
	struct hsm_migration_bytes bytes = { member, field->size };

	if (field->kind == UINT)
		return hsm_cbor_uint(*(const uint64_t *)member);
	if (field->kind != FIXED)
		bytes = *(const struct hsm_migration_bytes *)member;
	if (bytes.length > field->size)
		return NULL;
	if (field->kind == TEXT)
		return cbor_build_stringn((const char *)bytes.data, bytes.length);
	return cbor_build_bytestring(bytes.data, bytes.length);
}

int hsm_migration_write(enum hsm_migration_kind kind, const struct hsm_migration_document *document,
			uint8_t **bytes, size_t *length)
{
	struct hsm_migration_document copy = *document;
	cbor_item_t *map = cbor_new_definite_map(count_of(kind));
	int ret = map ? 0 : -ENOMEM;
	size_t i;

	copy.version = HSM_MIGRATION_VERSION;
	for (i = 0; i < FIELDS && !ret; i++)
		if (has(kind, &fields[i]) &&
		    !hsm_cbor_put(map, fields[i].key, value_of(&copy, &fields[i])))
			ret = -EINVAL;
	if (!ret)
		ret = hsm_cbor_write(map, bytes, length);
	if (map)
		cbor_decref(&map);
	return ret;
}

/* ---- reading ---- */

static bool take(struct hsm_migration_document *document, const struct field *field,
		 const cbor_item_t *item)
{
	void *member = (uint8_t *)document + field->offset;
	struct hsm_migration_bytes bytes = { 0 };

	if (field->kind == UINT)
		return hsm_cbor_as_uint(item, member);
	if (field->kind == TEXT) {
		if (!hsm_cbor_as_text(item, (const char **)&bytes.data, &bytes.length))
			return false;
	} else if (!hsm_cbor_as_bytes(item, &bytes.data, &bytes.length)) {
		return false;
	}
	if (bytes.length > field->size)
		return false;
	if (field->kind != FIXED) {
		*(struct hsm_migration_bytes *)member = bytes;
		return true;
	}
	if (bytes.length != field->size)
		return false;
	memcpy(member, bytes.data, bytes.length);
	return true;
}

static bool take_all(enum hsm_migration_kind kind, struct hsm_migration_document *document,
		     const cbor_item_t *map)
{
	size_t i;

	if (!map || !cbor_isa_map(map) || cbor_map_size(map) != count_of(kind))
		return false;
	for (i = 0; i < FIELDS; i++)
		if (has(kind, &fields[i]) &&
		    !take(document, &fields[i], hsm_cbor_get(map, fields[i].key)))
			return false;
	return document->version == HSM_MIGRATION_VERSION;
}

int hsm_migration_read(enum hsm_migration_kind kind, const uint8_t *bytes, size_t length,
		       struct hsm_migration_document *document)
{
	cbor_item_t *map = hsm_cbor_read(bytes, length);

	memset(document, 0, sizeof(*document));
	document->owner = map;
	if (take_all(kind, document, map))
		return 0;
	hsm_migration_free(document);
	return -EBADMSG;
}

void hsm_migration_free(struct hsm_migration_document *document)
{
	cbor_item_t *map = document->owner;

	if (map)
		cbor_decref(&map);
	document->owner = NULL;
}
