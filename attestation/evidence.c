// SPDX-License-Identifier: Apache-2.0
/*
 * Evidence as CBOR: what the table of claims (hsm/evidence.h) says is written, and nothing else is
 * read.
 */
#include <errno.h>
#include <string.h>
#include <hsm/evidence.h>

#define ROW(name_, key_, type_, least_, most_, kind_, need_, text_, meaning_) \
	[HSM_CLAIM_##name_] = {                                               \
		.key = (key_),                                                \
		.type = HSM_CLAIM_TYPE_##type_,                               \
		.kind = HSM_EVIDENCE_##kind_,                                 \
		.must = need_,                                                \
		.least = (least_),                                            \
		.most = (most_),                                              \
		.name = (text_),                                              \
		.meaning = (meaning_),                                        \
	},
#define MUST true
#define MAY  false

static const struct hsm_claim_info table[] = { HSM_CLAIM_TABLE(ROW) };

#undef MAY
#undef MUST

struct value_name {
	enum hsm_claim claim;
	uint64_t number;
	const char *name;
};

#define NAME(claim_, number_, name_) { HSM_CLAIM_##claim_, number_, name_ },
static const struct value_name names[] = { HSM_CLAIM_NAMES(NAME) };

const struct hsm_claim_info *hsm_claim_at(size_t claim)
{
	return claim < HSM_CLAIMS ? &table[claim] : NULL;
}

const char *hsm_claim_name(size_t claim, uint64_t number)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].claim == claim && names[i].number == number)
			return names[i].name;
	return NULL;
}

/* ---- claims ---- */

void hsm_evidence_number(struct hsm_evidence *evidence, enum hsm_claim claim, uint64_t number)
{
	evidence->claim[claim] = (struct hsm_claim_value){ .present = true, .number = number };
}

void hsm_evidence_bytes(struct hsm_evidence *evidence, enum hsm_claim claim, const void *bytes,
			size_t length)
{
	evidence->claim[claim] = (struct hsm_claim_value){
		.present = true,
		.bytes = bytes,
		.length = length,
	};
}

void hsm_evidence_text(struct hsm_evidence *evidence, enum hsm_claim claim, const char *text)
{
	hsm_evidence_bytes(evidence, claim, text, strlen(text));
}

static bool within(const struct hsm_claim_info *info, uint64_t value)
{
	return value >= info->least && value <= info->most;
}

/* No text that would end where its reader does not see it */
static bool is_text(const uint8_t *bytes, size_t length)
{
	return !memchr(bytes, '\0', length);
}

static bool value_valid(size_t claim, const struct hsm_evidence *evidence)
{
	const struct hsm_claim_value *value = &evidence->claim[claim];
	const struct hsm_claim_info *info = &table[claim];

	switch (info->type) {
	case HSM_CLAIM_TYPE_UINT:
	case HSM_CLAIM_TYPE_BOOL:
		return within(info, value->number);
	case HSM_CLAIM_TYPE_TEXT:
	case HSM_CLAIM_TYPE_VERSION:
		return within(info, value->length) && is_text(value->bytes, value->length);
	case HSM_CLAIM_TYPE_ATTRIBUTES:
		return evidence->attributes && within(info, cbor_map_size(evidence->attributes));
	default:
		return within(info, value->length);
	}
}

/* The claim that is missing, out of place or out of bounds; HSM_CLAIMS: none */
static size_t find_wrong(const struct hsm_evidence *evidence)
{
	uint64_t kind = evidence->claim[HSM_CLAIM_KIND].number;
	size_t i;

	if (!evidence->claim[HSM_CLAIM_KIND].present || !value_valid(HSM_CLAIM_KIND, evidence))
		return HSM_CLAIM_KIND;
	for (i = 0; i < HSM_CLAIMS; i++) {
		if (!evidence->claim[i].present && table[i].must && table[i].kind <= kind)
			return i;
		if (evidence->claim[i].present &&
		    (table[i].kind > kind || !value_valid(i, evidence)))
			return i;
	}
	return HSM_CLAIMS;
}

static bool is_profile(const struct hsm_claim_value *value)
{
	return value->length == strlen(HSM_EVIDENCE_PROFILE) &&
	       !memcmp(value->bytes, HSM_EVIDENCE_PROFILE, value->length);
}

/* ---- encode ---- */

static cbor_item_t *version_item(const struct hsm_claim_value *value)
{
	cbor_item_t *array = cbor_new_definite_array(1);

	if (array &&
	    !hsm_cbor_push(array, cbor_build_stringn((const char *)value->bytes, value->length))) {
		cbor_decref(&array);
		return NULL;
	}
	return array;
}

static cbor_item_t *value_item(const struct hsm_evidence *evidence, size_t claim)
{
	const struct hsm_claim_value *value = &evidence->claim[claim];

	switch (table[claim].type) {
	case HSM_CLAIM_TYPE_UINT:
		return hsm_cbor_uint(value->number);
	case HSM_CLAIM_TYPE_BOOL:
		return cbor_build_bool(value->number);
	case HSM_CLAIM_TYPE_TEXT:
		return cbor_build_stringn((const char *)value->bytes, value->length);
	case HSM_CLAIM_TYPE_VERSION:
		return version_item(value);
	case HSM_CLAIM_TYPE_ATTRIBUTES:
		return cbor_incref(evidence->attributes);
	default:
		return cbor_build_bytestring(value->bytes, value->length);
	}
}

int hsm_evidence_encode(const struct hsm_evidence *evidence, uint8_t **bytes, size_t *length)
{
	cbor_item_t *map;
	size_t count = 0, i;
	bool ok = true;
	int ret;

	if (find_wrong(evidence) != HSM_CLAIMS || !is_profile(&evidence->claim[HSM_CLAIM_PROFILE]))
		return -EINVAL;
	for (i = 0; i < HSM_CLAIMS; i++)
		count += evidence->claim[i].present;
	map = cbor_new_definite_map(count);
	if (!map)
		return -ENOMEM;
	for (i = 0; ok && i < HSM_CLAIMS; i++)
		if (evidence->claim[i].present)
			ok = hsm_cbor_put(map, table[i].key, value_item(evidence, i));
	ret = ok ? hsm_cbor_write(map, bytes, length) : -ENOMEM;
	cbor_decref(&map);
	return ret;
}

/* ---- decode ---- */

static bool take_bool(const cbor_item_t *item, struct hsm_claim_value *value)
{
	bool flag;

	if (!hsm_cbor_as_bool(item, &flag))
		return false;
	value->number = flag;
	return true;
}

static bool take_text(const cbor_item_t *item, struct hsm_claim_value *value)
{
	return hsm_cbor_as_text(item, (const char **)&value->bytes, &value->length);
}

static bool take_version(const cbor_item_t *item, struct hsm_claim_value *value)
{
	cbor_item_t *text;
	bool ok;

	if (!cbor_isa_array(item) || cbor_array_size(item) != 1)
		return false;
	text = cbor_array_get(item, 0);
	ok = text && take_text(text, value);
	if (text)
		cbor_decref(&text); /* the array keeps it */
	return ok;
}

static bool is_list(const cbor_item_t *item)
{
	cbor_item_t **element = cbor_array_handle(item);

	for (size_t i = 0; i < cbor_array_size(item); i++)
		if (!cbor_isa_uint(element[i]))
			return false;
	return true;
}

/* How deep templates stand in templates (Documentation/policy.rst) */
#define NESTING 4

static bool is_attributes(const cbor_item_t *map, unsigned int depth);

static bool is_value(const cbor_item_t *item, unsigned int depth)
{
	bool flag;

	switch (cbor_typeof(item)) {
	case CBOR_TYPE_UINT:
	case CBOR_TYPE_BYTESTRING:
		return true;
	case CBOR_TYPE_ARRAY:
		return is_list(item);
	case CBOR_TYPE_MAP:
		return depth && is_attributes(item, depth - 1);
	case CBOR_TYPE_FLOAT_CTRL:
		return hsm_cbor_as_bool(item, &flag);
	default:
		return false;
	}
}

/* Numbers of attributes, ascending, each with a value that an attribute can have */
static bool is_attributes(const cbor_item_t *map, unsigned int depth)
{
	struct cbor_pair *pair = cbor_map_handle(map);
	uint64_t last = 0, key;

	for (size_t i = 0; i < cbor_map_size(map); i++) {
		if (!hsm_cbor_as_uint(pair[i].key, &key) || (i && key <= last))
			return false;
		if (!is_value(pair[i].value, depth))
			return false;
		last = key;
	}
	return true;
}

static bool take_attributes(cbor_item_t *item, struct hsm_evidence *evidence)
{
	if (!cbor_isa_map(item) || !is_attributes(item, NESTING))
		return false;
	evidence->attributes = cbor_incref(item);
	return true;
}

static bool take_value(cbor_item_t *item, size_t claim, struct hsm_evidence *evidence)
{
	struct hsm_claim_value *value = &evidence->claim[claim];

	value->present = true;
	switch (table[claim].type) {
	case HSM_CLAIM_TYPE_UINT:
		return hsm_cbor_as_uint(item, &value->number);
	case HSM_CLAIM_TYPE_BOOL:
		return take_bool(item, value);
	case HSM_CLAIM_TYPE_TEXT:
		return take_text(item, value);
	case HSM_CLAIM_TYPE_VERSION:
		return take_version(item, value);
	case HSM_CLAIM_TYPE_ATTRIBUTES:
		return take_attributes(item, evidence);
	default:
		return hsm_cbor_as_bytes(item, &value->bytes, &value->length);
	}
}

/* The claim of a map's key, HSM_CLAIMS: none that is known */
static size_t claim_of(const cbor_item_t *key)
{
	int64_t number;
	size_t i;

	if (!hsm_cbor_as_int(key, &number))
		return HSM_CLAIMS;
	for (i = 0; i < HSM_CLAIMS && table[i].key != number; i++)
		;
	return i;
}

/* In the table's order, so that none comes twice */
static int take_claims(const cbor_item_t *map, struct hsm_evidence *evidence, const char **wrong)
{
	struct cbor_pair *pair = cbor_map_handle(map);
	size_t next = 0, claim;

	for (size_t i = 0; i < cbor_map_size(map); i++) {
		claim = claim_of(pair[i].key);
		if (claim == HSM_CLAIMS || claim < next) {
			*wrong = "a claim that is not known, or not in its place";
			return -EBADMSG;
		}
		if (!take_value(pair[i].value, claim, evidence)) {
			*wrong = table[claim].name;
			return -EBADMSG;
		}
		next = claim + 1;
	}
	return 0;
}

int hsm_evidence_decode(const uint8_t *bytes, size_t length, struct hsm_evidence *evidence,
			const char **wrong)
{
	size_t claim;

	memset(evidence, 0, sizeof(*evidence));
	*wrong = "no map of claims";
	evidence->item = hsm_cbor_read(bytes, length);
	if (!evidence->item || !cbor_isa_map(evidence->item))
		return -EBADMSG;
	if (take_claims(evidence->item, evidence, wrong) < 0)
		return -EBADMSG;
	claim = find_wrong(evidence);
	if (claim == HSM_CLAIMS && !is_profile(&evidence->claim[HSM_CLAIM_PROFILE]))
		claim = HSM_CLAIM_PROFILE;
	if (claim != HSM_CLAIMS)
		*wrong = table[claim].name;
	return claim == HSM_CLAIMS ? 0 : -EBADMSG;
}

void hsm_evidence_free(struct hsm_evidence *evidence)
{
	if (evidence->attributes)
		cbor_decref(&evidence->attributes);
	if (evidence->item)
		cbor_decref(&evidence->item);
	memset(evidence, 0, sizeof(*evidence));
}
