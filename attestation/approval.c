// SPDX-License-Identifier: Apache-2.0
/*
 * The bytes that officers and owners sign: who runs which command with which fields, as a CBOR map. Both sides build
 * them here, so that what was approved and what is executed are compared byte by byte.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <hsm/approval.h>
#include <hsm/cose.h>

/* Keys of the map */
enum {
	KEY_BOARD = 1,
	KEY_PARTITION = 2,
	KEY_NONCE = 3,
	KEY_OPERATION = 4,
	KEY_FIELDS = 5,
	KEY_HASHED = 6,
};

/* ---- tables ---- */

#define GUARDED(operation_, action_) { HSM_OP_##operation_, HSM_ACTION_##action_ },

static const struct {
	uint16_t operation;
	uint16_t action;
} guarded[] = { HSM_GUARDED_TABLE(GUARDED) };

#define ACTION(number_, name_, word_, owner_, meaning_) \
	[number_] = { .word = (word_), .meaning = (meaning_), .owner = (owner_) },

static const struct {
	const char *word;
	const char *meaning;
	bool owner;
} actions[HSM_ACTIONS] = { HSM_ACTION_TABLE(ACTION) };

enum hsm_action hsm_guarded(unsigned int operation)
{
	size_t i;

	for (i = 0; i < sizeof(guarded) / sizeof(guarded[0]); i++)
		if (guarded[i].operation == operation)
			return guarded[i].action;
	return HSM_ACTION_NONE;
}

const char *hsm_action_word(unsigned int action)
{
	return action < HSM_ACTIONS ? actions[action].word : NULL;
}

const char *hsm_action_meaning(unsigned int action)
{
	return action < HSM_ACTIONS ? actions[action].meaning : NULL;
}

uint32_t hsm_action_owner(unsigned int action)
{
	return action < HSM_ACTIONS && actions[action].owner ? 1U << (action - 1) : 0;
}

const char *hsm_verdict_text(unsigned int verdict)
{
	static const char *const texts[HSM_VERDICTS] = {
		[HSM_VERDICT_GOOD] = "good",
		[HSM_VERDICT_FORM] = "no approval",
		[HSM_VERDICT_REQUEST] = "approves another request",
		[HSM_VERDICT_KEY] = "by a key that is not enrolled",
		[HSM_VERDICT_SIGNATURE] = "its signature is wrong",
		[HSM_VERDICT_TWICE] = "by somebody who has approved already",
		[HSM_VERDICT_NONCE] =
			"the device's nonce was used, has expired, or is not this device's",
	};

	return verdict < HSM_VERDICTS ? texts[verdict] : "unknown";
}

/* ---- building ---- */

/* The largest tag that is signed; the table of fields must not grow beyond what is looked for */
#define TAG_MAX 0x1ff

#define TAG_IS_SIGNED(tag, name, ...) \
	_Static_assert((tag) <= TAG_MAX, "field " #name " would not be signed");
HSM_FIELD_TABLE(TAG_IS_SIGNED)

/*
 * Approvals cannot be about themselves, and nobody shows PINs and codes to those who approve: they approve the commitment
 * to a PIN.
 */
static bool left_out(unsigned int tag)
{
	switch (tag) {
	case HSM_FIELD_APPROVALS:
	case HSM_FIELD_APPROVAL_NONCE:
	case HSM_FIELD_PIN:
	case HSM_FIELD_NEW_PIN:
	case HSM_FIELD_PIN_OPENING:
	case HSM_FIELD_CODE:
		return true;
	default:
		return false;
	}
}

/* People are shown names of mechanisms, however many there are. */
static bool is_long(const struct hsm_field *field)
{
	return field->length > HSM_APPROVAL_FIELD_MAX && field->tag != HSM_FIELD_MECHANISMS;
}

static void put_hash(struct hsm_writer *out, const struct hsm_field *field)
{
	uint8_t hash[HSM_APPROVAL_ID_SIZE];

	if (EVP_Digest(field->data, field->length, hash, NULL, EVP_sha384(), NULL) == 1)
		hsm_put_bytes(out, field->tag, hash, sizeof(hash));
	else
		out->error = -EIO;
}

/* The field with this tag, if it is among those that are signed so: as it is, or by its hash */
static void put_field(struct hsm_writer *out, const struct hsm_approval *approval, unsigned int tag,
		      bool hashed)
{
	const struct hsm_field *field = hsm_fields_find(&approval->fields, tag);

	if (left_out(tag))
		return;
	if (field && is_long(field) == hashed) {
		if (hashed)
			put_hash(out, field);
		else
			hsm_put_bytes(out, tag, field->data, field->length);
	}
	field = hashed ? hsm_fields_find(&approval->hashed, tag) : NULL;
	if (field)
		hsm_put_bytes(out, tag, field->data, field->length);
}

/* Fields in the order of their tags. Return: a new item, or NULL. @length: set to its bytes */
static cbor_item_t *put_fields(const struct hsm_approval *approval, bool hashed, size_t *length)
{
	uint8_t *bytes = malloc(HSM_MESSAGE_MAX);
	struct hsm_writer out;
	cbor_item_t *item;
	unsigned int tag;

	*length = 0;
	if (!bytes)
		return NULL;
	hsm_writer_init(&out, bytes, HSM_MESSAGE_MAX);
	for (tag = 1; tag <= TAG_MAX; tag++)
		put_field(&out, approval, tag, hashed);
	item = out.error ? NULL : cbor_build_bytestring(bytes, out.length);
	*length = out.length;
	free(bytes);
	return item;
}

/* @hashed is taken over, NULL: there are none */
static bool put_map(cbor_item_t *map, const struct hsm_approval *approval, cbor_item_t *hashed)
{
	size_t length;
	bool whole;

	whole = hsm_cbor_put(map, KEY_BOARD,
			     cbor_build_bytestring(approval->board, sizeof(approval->board))) &&
		hsm_cbor_put(map, KEY_PARTITION,
			     cbor_build_bytestring(approval->partition,
						   sizeof(approval->partition)));
	if (whole && approval->has_nonce)
		whole = hsm_cbor_put(map, KEY_NONCE,
				     cbor_build_bytestring(approval->nonce,
							   sizeof(approval->nonce)));
	whole = whole && hsm_cbor_put(map, KEY_OPERATION, hsm_cbor_uint(approval->operation)) &&
		hsm_cbor_put(map, KEY_FIELDS, put_fields(approval, false, &length));
	if (whole && hashed)
		return hsm_cbor_put(map, KEY_HASHED, hashed);
	if (hashed)
		cbor_decref(&hashed);
	return whole;
}

int hsm_approval_build(const struct hsm_approval *approval, uint8_t **bytes, size_t *length)
{
	cbor_item_t *map, *hashed;
	size_t some;
	int ret = -ENOMEM;

	if (hsm_guarded(approval->operation) == HSM_ACTION_NONE)
		return -EINVAL;
	hashed = put_fields(approval, true, &some);
	if (!hashed)
		return -ENOMEM;
	if (!some)
		cbor_decref(&hashed);
	map = cbor_new_definite_map(4 + approval->has_nonce + (some != 0));
	if (!map) {
		if (some)
			cbor_decref(&hashed);
		return -ENOMEM;
	}
	if (put_map(map, approval, some ? hashed : NULL))
		ret = hsm_cbor_write(map, bytes, length);
	cbor_decref(&map);
	return ret;
}

int hsm_pin_commitment(const uint8_t opening[HSM_PIN_OPENING_SIZE], const uint8_t *pin,
		       size_t length, uint8_t commitment[HSM_APPROVAL_ID_SIZE])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	int good = context && EVP_DigestInit_ex(context, EVP_sha384(), NULL) == 1 &&
		   EVP_DigestUpdate(context, opening, HSM_PIN_OPENING_SIZE) == 1 &&
		   EVP_DigestUpdate(context, pin, length) == 1 &&
		   EVP_DigestFinal_ex(context, commitment, NULL) == 1;

	EVP_MD_CTX_free(context);
	return good ? 0 : -EIO;
}

/* ---- parsing ---- */

static bool get_exact(const cbor_item_t *map, int64_t key, uint8_t *value, size_t size)
{
	const uint8_t *bytes;
	size_t length;

	if (!hsm_cbor_as_bytes(hsm_cbor_get(map, key), &bytes, &length) || length != size)
		return false;
	memcpy(value, bytes, size);
	return true;
}

/* Both lists of fields in one copy */
static int take_fields(const cbor_item_t *map, struct hsm_approval *approval, uint8_t **kept)
{
	const cbor_item_t *item = hsm_cbor_get(map, KEY_HASHED);
	const uint8_t *bytes, *more = NULL;
	size_t length, rest = 0;

	if (!hsm_cbor_as_bytes(hsm_cbor_get(map, KEY_FIELDS), &bytes, &length) ||
	    (item && !hsm_cbor_as_bytes(item, &more, &rest)))
		return -EBADMSG;
	*kept = malloc(length + rest + 1);
	if (!*kept)
		return -ENOMEM;
	if (length)
		memcpy(*kept, bytes, length);
	if (rest)
		memcpy(*kept + length, more, rest);
	if (hsm_fields_parse(&approval->fields, *kept, length) < 0)
		return -EBADMSG;
	return hsm_fields_parse(&approval->hashed, *kept + length, rest);
}

static int take_map(const cbor_item_t *map, struct hsm_approval *approval, uint8_t **kept)
{
	uint64_t operation;

	if (!get_exact(map, KEY_BOARD, approval->board, sizeof(approval->board)) ||
	    !get_exact(map, KEY_PARTITION, approval->partition, sizeof(approval->partition)) ||
	    !hsm_cbor_as_uint(hsm_cbor_get(map, KEY_OPERATION), &operation) ||
	    operation > UINT16_MAX)
		return -EBADMSG;
	approval->operation = operation;
	approval->has_nonce = get_exact(map, KEY_NONCE, approval->nonce, sizeof(approval->nonce));
	return take_fields(map, approval, kept);
}

/* One meaning has one form: what is shown to who signs is then all that there is. */
static int check_form(const struct hsm_approval *approval, const uint8_t *bytes, size_t length)
{
	uint8_t *again = NULL;
	size_t size = 0;
	unsigned int i;
	int ret = hsm_approval_build(approval, &again, &size);

	if (ret == -EINVAL || (!ret && (size != length || memcmp(again, bytes, length))))
		ret = -EBADMSG;
	for (i = 0; !ret && i < approval->hashed.count; i++)
		if (approval->hashed.field[i].length != HSM_APPROVAL_ID_SIZE ||
		    hsm_fields_find(&approval->fields, approval->hashed.field[i].tag))
			ret = -EBADMSG;
	free(again);
	return ret;
}

int hsm_approval_parse(const uint8_t *bytes, size_t length, struct hsm_approval *approval,
		       uint8_t **kept)
{
	cbor_item_t *map = hsm_cbor_read(bytes, length);
	int ret;

	memset(approval, 0, sizeof(*approval));
	*kept = NULL;
	if (!map)
		return -EBADMSG;
	ret = take_map(map, approval, kept);
	cbor_decref(&map);
	if (!ret)
		ret = check_form(approval, bytes, length);
	if (ret) {
		free(*kept);
		*kept = NULL;
	}
	return ret;
}
