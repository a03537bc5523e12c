// SPDX-License-Identifier: Apache-2.0
/*
 * The payload of a receipt (hsm/receipt.h), by its table.
 */
#include <errno.h>
#include <string.h>
#include <hsm/cose.h>
#include <hsm/receipt.h>

/* Keys of the map around the entries */
enum {
	KEY_BOARD = 1,
	KEY_PARTITION = 2,
	KEY_NONCE = 3,
	KEY_TIME = 4,
	KEY_ENTRIES = 5,
};

static const uint8_t none[HSM_RECEIPT_HASH];

/* ---- one entry ---- */

static bool put_NUMBER(cbor_item_t *map, int64_t key, const uint64_t *value)
{
	return hsm_cbor_put(map, key, hsm_cbor_uint(*value));
}

static bool put_TEXT(cbor_item_t *map, int64_t key, const struct hsm_receipt_text *value)
{
	return !value->length ||
	       hsm_cbor_put(map, key, cbor_build_bytestring(value->bytes, value->length));
}

static bool put_HASH(cbor_item_t *map, int64_t key, const uint8_t (*value)[HSM_RECEIPT_HASH])
{
	return !memcmp(*value, none, sizeof(none)) ||
	       hsm_cbor_put(map, key, cbor_build_bytestring(*value, sizeof(*value)));
}

static bool get_NUMBER(const cbor_item_t *item, uint64_t *value)
{
	return hsm_cbor_as_uint(item, value);
}

static bool get_TEXT(const cbor_item_t *item, struct hsm_receipt_text *value)
{
	const uint8_t *bytes;
	size_t length;

	if (!item)
		return true;
	if (!hsm_cbor_as_bytes(item, &bytes, &length) || !length || length > HSM_RECEIPT_TEXT)
		return false;
	memcpy(value->bytes, bytes, length);
	value->length = length;
	return true;
}

static bool get_HASH(const cbor_item_t *item, uint8_t (*value)[HSM_RECEIPT_HASH])
{
	const uint8_t *bytes;
	size_t length;

	if (!item)
		return true;
	if (!hsm_cbor_as_bytes(item, &bytes, &length) || length != sizeof(*value))
		return false;
	memcpy(*value, bytes, length);
	return true;
}

#define COUNT(key, member, kind, meaning) 1 +
#define MEMBERS				  (HSM_RECEIPT_ENTRY_TABLE(COUNT) 0)

static cbor_item_t *entry_item(const struct hsm_receipt_entry *entry)
{
	cbor_item_t *map = cbor_new_definite_map(MEMBERS);
	bool whole = map;

#define PUT(key, member, kind, meaning) whole = whole && put_##kind(map, key, &entry->member);
	HSM_RECEIPT_ENTRY_TABLE(PUT)
	if (!whole && map)
		cbor_decref(&map);
	return whole ? map : NULL;
}

static bool take_entry(const cbor_item_t *map, struct hsm_receipt_entry *entry)
{
	bool good = map && cbor_isa_map(map) && cbor_map_size(map) <= MEMBERS;

#define GET(key, member, kind, meaning) \
	good = good && get_##kind(hsm_cbor_get(map, key), &entry->member);
	HSM_RECEIPT_ENTRY_TABLE(GET)
	/* What says nothing about any bytes is no entry. */
	return good && memcmp(entry->wrapped, none, sizeof(none));
}

/* ---- all of it ---- */

static cbor_item_t *entries_item(const struct hsm_receipt *receipt)
{
	cbor_item_t *array = cbor_new_definite_array(receipt->count);
	bool whole = array;
	size_t i;

	for (i = 0; whole && i < receipt->count; i++)
		whole = hsm_cbor_push(array, entry_item(&receipt->entry[i]));
	if (!whole && array)
		cbor_decref(&array);
	return whole ? array : NULL;
}

int hsm_receipt_encode(const struct hsm_receipt *receipt, uint8_t **bytes, size_t *length)
{
	cbor_item_t *map = cbor_new_definite_map(5);
	bool whole;
	int ret = -ENOMEM;

	if (!map)
		return -ENOMEM;
	whole = hsm_cbor_put(map, KEY_BOARD,
			     cbor_build_bytestring(receipt->board, sizeof(receipt->board))) &&
		hsm_cbor_put(map, KEY_PARTITION,
			     cbor_build_bytestring(receipt->partition,
						   sizeof(receipt->partition))) &&
		hsm_cbor_put(map, KEY_NONCE,
			     cbor_build_bytestring(receipt->nonce, receipt->nonce_length)) &&
		hsm_cbor_put(map, KEY_TIME, hsm_cbor_uint(receipt->time)) &&
		hsm_cbor_put(map, KEY_ENTRIES, entries_item(receipt));
	if (whole)
		ret = hsm_cbor_write(map, bytes, length);
	cbor_decref(&map);
	return ret;
}

static bool take_id(const cbor_item_t *map, int64_t key, uint8_t id[16])
{
	const uint8_t *bytes;
	size_t length;

	if (!hsm_cbor_as_bytes(hsm_cbor_get(map, key), &bytes, &length) || length != 16)
		return false;
	memcpy(id, bytes, length);
	return true;
}

static bool take_nonce(const cbor_item_t *map, struct hsm_receipt *receipt)
{
	const uint8_t *bytes;

	if (!hsm_cbor_as_bytes(hsm_cbor_get(map, KEY_NONCE), &bytes, &receipt->nonce_length) ||
	    receipt->nonce_length > sizeof(receipt->nonce))
		return false;
	if (receipt->nonce_length)
		memcpy(receipt->nonce, bytes, receipt->nonce_length);
	return true;
}

static bool take_entries(const cbor_item_t *map, struct hsm_receipt *receipt)
{
	const cbor_item_t *array = hsm_cbor_get(map, KEY_ENTRIES);
	size_t i;

	if (!array || !cbor_isa_array(array) || cbor_array_size(array) > HSM_RECEIPT_MAX)
		return false;
	receipt->count = cbor_array_size(array);
	for (i = 0; i < receipt->count; i++)
		if (!take_entry(cbor_array_handle(array)[i], &receipt->entry[i]))
			return false;
	return true;
}

int hsm_receipt_decode(const uint8_t *bytes, size_t length, struct hsm_receipt *receipt)
{
	cbor_item_t *map = hsm_cbor_read(bytes, length);
	bool good;

	memset(receipt, 0, sizeof(*receipt));
	good = map && cbor_isa_map(map) && cbor_map_size(map) == 5 &&
	       take_id(map, KEY_BOARD, receipt->board) &&
	       take_id(map, KEY_PARTITION, receipt->partition) && take_nonce(map, receipt) &&
	       hsm_cbor_as_uint(hsm_cbor_get(map, KEY_TIME), &receipt->time) &&
	       take_entries(map, receipt);
	if (map)
		cbor_decref(&map);
	return good ? 0 : -EBADMSG;
}
