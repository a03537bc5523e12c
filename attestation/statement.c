// SPDX-License-Identifier: Apache-2.0
/*
 * Statements as CBOR: a map of small numbers, in ascending order of its keys.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <hsm/cose.h>
#include <hsm/statement.h>

#define KEY_VERSION 1
#define PAIRS	    14

/* ---- writing ---- */

static bool put_all(cbor_item_t *map, const struct hsm_statement *s)
{
	bool ok = hsm_cbor_put(map, KEY_VERSION, hsm_cbor_uint(HSM_STATEMENT_VERSION)) &&
		  hsm_cbor_put(map, HSM_STATEMENT_KEY_BOARD,
			       cbor_build_bytestring(s->board, sizeof(s->board))) &&
		  hsm_cbor_put(map, HSM_STATEMENT_KEY_SERIAL, cbor_build_string(s->serial));

#define PUT(key, member, meaning) ok = ok && hsm_cbor_put(map, key, hsm_cbor_uint(s->member));
	HSM_STATEMENT_TABLE(PUT)
#undef PUT
	if (ok && s->nonce_length)
		ok = hsm_cbor_put(map, HSM_STATEMENT_KEY_NONCE,
				  cbor_build_bytestring(s->nonce, s->nonce_length));
	return ok;
}

int hsm_statement_encode(const struct hsm_statement *statement, uint8_t **bytes, size_t *length)
{
	cbor_item_t *map = cbor_new_definite_map(PAIRS - !statement->nonce_length);
	int ret = -ENOMEM;

	if (map && put_all(map, statement))
		ret = hsm_cbor_write(map, bytes, length);
	if (map)
		cbor_decref(&map);
	return ret;
}

/* ---- reading ---- */

static bool get_bytes(const cbor_item_t *map, int64_t key, void *out, size_t capacity,
		      size_t *length)
{
	const uint8_t *bytes;

	if (!hsm_cbor_as_bytes(hsm_cbor_get(map, key), &bytes, length) || *length > capacity)
		return false;
	memcpy(out, bytes, *length);
	return true;
}

static bool get_all(const cbor_item_t *map, struct hsm_statement *s)
{
	const char *serial;
	uint64_t version = 0;
	size_t length;
	bool ok;

	ok = hsm_cbor_as_uint(hsm_cbor_get(map, KEY_VERSION), &version) &&
	     version == HSM_STATEMENT_VERSION;
	ok = ok && get_bytes(map, HSM_STATEMENT_KEY_BOARD, s->board, sizeof(s->board), &length) &&
	     length == sizeof(s->board);
	ok = ok &&
	     hsm_cbor_as_text(hsm_cbor_get(map, HSM_STATEMENT_KEY_SERIAL), &serial, &length) &&
	     length < sizeof(s->serial);
	if (ok)
		memcpy(s->serial, serial, length);
#define GET(key, member, meaning) ok = ok && hsm_cbor_as_uint(hsm_cbor_get(map, key), &s->member);
	HSM_STATEMENT_TABLE(GET)
#undef GET
	if (ok && hsm_cbor_get(map, HSM_STATEMENT_KEY_NONCE))
		ok = get_bytes(map, HSM_STATEMENT_KEY_NONCE, s->nonce, sizeof(s->nonce),
			       &s->nonce_length);
	return ok;
}

/* What reads the same but is written otherwise, with further members for example, is somebody else's. */
static int same(const struct hsm_statement *statement, const uint8_t *bytes, size_t length)
{
	uint8_t *again;
	size_t again_length;
	int ret = hsm_statement_encode(statement, &again, &again_length);

	if (ret)
		return ret;
	if (again_length != length || memcmp(again, bytes, length))
		ret = -EBADMSG;
	free(again);
	return ret;
}

int hsm_statement_decode(const uint8_t *bytes, size_t length, struct hsm_statement *statement)
{
	cbor_item_t *map = length <= HSM_STATEMENT_MAX ? hsm_cbor_read(bytes, length) : NULL;
	int ret;

	memset(statement, 0, sizeof(*statement));
	if (!map)
		return -EBADMSG;
	ret = get_all(map, statement) ? same(statement, bytes, length) : -EBADMSG;
	cbor_decref(&map);
	return ret;
}
