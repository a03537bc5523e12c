// SPDX-License-Identifier: Apache-2.0
/*
 * CBOR by libcbor. What comes from strangers is walked once before libcbor builds a tree of it, so
 * that a length is never believed and no tree is deeper than we make them.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <hsm/cose.h>

#define DEPTH_MAX 16

/* The walk: items that each level still waits for */
struct walk {
	size_t left;
	uint64_t waits[DEPTH_MAX];
	unsigned int depth;
	bool bad;
};

static void leaf(struct walk *walk)
{
	while (walk->depth && --walk->waits[walk->depth - 1] == 0)
		walk->depth--;
}

/* A container of @items whose least encoding is a byte each */
static void nest(struct walk *walk, uint64_t items)
{
	if (!items) {
		leaf(walk);
		return;
	}
	if (items > walk->left || walk->depth == DEPTH_MAX) {
		walk->bad = true;
		return;
	}
	walk->waits[walk->depth++] = items;
}

static void on_uint8(void *walk, uint8_t value)
{
	(void)value;
	leaf(walk);
}

static void on_uint16(void *walk, uint16_t value)
{
	(void)value;
	leaf(walk);
}

static void on_uint32(void *walk, uint32_t value)
{
	(void)value;
	leaf(walk);
}

static void on_uint64(void *walk, uint64_t value)
{
	(void)value;
	leaf(walk);
}

#if CBOR_MAJOR_VERSION == 0 && CBOR_MINOR_VERSION < 10
typedef size_t string_length;
#else
typedef uint64_t string_length;
#endif

static void on_string(void *walk, cbor_data data, string_length length)
{
	(void)data;
	(void)length;
	leaf(walk);
}

static void on_container(void *walk, string_length items)
{
	nest(walk, items);
}

static void on_map(void *context, string_length pairs)
{
	struct walk *walk = context;

	if (pairs > walk->left)
		walk->bad = true;
	else
		nest(walk, 2 * (uint64_t)pairs);
}

static void on_tag(void *walk, uint64_t value)
{
	(void)value;
	nest(walk, 1);
}

static void on_bool(void *walk, bool value)
{
	(void)value;
	leaf(walk);
}

static void on_null(void *walk)
{
	leaf(walk);
}

static void on_float(void *walk, float value)
{
	(void)value;
	leaf(walk);
}

static void on_double(void *walk, double value)
{
	(void)value;
	leaf(walk);
}

static void on_unwanted(void *walk)
{
	((struct walk *)walk)->bad = true;
}

static const struct cbor_callbacks callbacks = {
	.uint8 = on_uint8,
	.uint16 = on_uint16,
	.uint32 = on_uint32,
	.uint64 = on_uint64,
	.negint8 = on_uint8,
	.negint16 = on_uint16,
	.negint32 = on_uint32,
	.negint64 = on_uint64,
	.byte_string = on_string,
	.byte_string_start = on_unwanted,
	.string = on_string,
	.string_start = on_unwanted,
	.array_start = on_container,
	.indef_array_start = on_unwanted,
	.map_start = on_map,
	.indef_map_start = on_unwanted,
	.tag = on_tag,
	.float2 = on_float,
	.float4 = on_float,
	.float8 = on_double,
	.undefined = on_null,
	.null = on_null,
	.boolean = on_bool,
	.indef_break = on_unwanted,
};

static bool is_sound(const uint8_t *bytes, size_t length)
{
	struct walk walk = { .waits = { 1 }, .depth = 1 };
	struct cbor_decoder_result result;
	size_t at = 0;

	while (walk.depth && !walk.bad) {
		if (at == length)
			return false;
		walk.left = length - at;
		result = cbor_stream_decode(bytes + at, length - at, &callbacks, &walk);
		if (result.status != CBOR_DECODER_FINISHED)
			return false;
		at += result.read;
	}
	return !walk.bad && at == length;
}

cbor_item_t *hsm_cbor_read(const uint8_t *bytes, size_t length)
{
	struct cbor_load_result result;

	return is_sound(bytes, length) ? cbor_load(bytes, length, &result) : NULL;
}

int hsm_cbor_write(const cbor_item_t *item, uint8_t **bytes, size_t *length)
{
	size_t size;

	*length = cbor_serialize_alloc(item, bytes, &size);
	return *length ? 0 : -ENOMEM;
}

cbor_item_t *hsm_cbor_uint(uint64_t value)
{
	if (value <= UINT8_MAX)
		return cbor_build_uint8((uint8_t)value);
	if (value <= UINT16_MAX)
		return cbor_build_uint16((uint16_t)value);
	if (value <= UINT32_MAX)
		return cbor_build_uint32((uint32_t)value);
	return cbor_build_uint64(value);
}

cbor_item_t *hsm_cbor_int(int64_t value)
{
	cbor_item_t *item = hsm_cbor_uint(value < 0 ? (uint64_t)(-1 - value) : (uint64_t)value);

	if (item && value < 0)
		cbor_mark_negint(item);
	return item;
}

static bool put(cbor_item_t *map, cbor_item_t *key, cbor_item_t *value)
{
	bool done = map && key && value &&
		    cbor_map_add(map, (struct cbor_pair){ .key = key, .value = value });

	if (key)
		cbor_decref(&key);
	if (value)
		cbor_decref(&value);
	return done;
}

bool hsm_cbor_put(cbor_item_t *map, int64_t key, cbor_item_t *value)
{
	return put(map, hsm_cbor_int(key), value);
}

bool hsm_cbor_put_text(cbor_item_t *map, const char *key, cbor_item_t *value)
{
	return put(map, cbor_build_string(key), value);
}

bool hsm_cbor_push(cbor_item_t *array, cbor_item_t *value)
{
	bool done = array && value && cbor_array_push(array, value);

	if (value)
		cbor_decref(&value);
	return done;
}

bool hsm_cbor_as_uint(const cbor_item_t *item, uint64_t *value)
{
	if (!item || !cbor_isa_uint(item))
		return false;
	*value = cbor_get_int(item);
	return true;
}

bool hsm_cbor_as_int(const cbor_item_t *item, int64_t *value)
{
	uint64_t number;

	if (!item || !cbor_is_int(item))
		return false;
	number = cbor_get_int(item);
	if (number > INT64_MAX)
		return false;
	*value = cbor_isa_negint(item) ? -1 - (int64_t)number : (int64_t)number;
	return true;
}

bool hsm_cbor_as_bool(const cbor_item_t *item, bool *value)
{
	/* libcbor asks a float for its control value only under an assertion. */
	if (!item || !cbor_isa_float_ctrl(item) || !cbor_float_ctrl_is_ctrl(item) ||
	    !cbor_is_bool(item))
		return false;
	*value = cbor_get_bool(item);
	return true;
}

bool hsm_cbor_as_bytes(const cbor_item_t *item, const uint8_t **bytes, size_t *length)
{
	if (!item || !cbor_isa_bytestring(item))
		return false;
	*bytes = cbor_bytestring_handle(item);
	*length = cbor_bytestring_length(item);
	return true;
}

bool hsm_cbor_as_text(const cbor_item_t *item, const char **text, size_t *length)
{
	if (!item || !cbor_isa_string(item))
		return false;
	*text = (const char *)cbor_string_handle(item);
	*length = cbor_string_length(item);
	return true;
}

/* A key that is there twice is as good as none (RFC 8949, 5.6). */
static cbor_item_t *only(const cbor_item_t *map, bool (*is)(const cbor_item_t *, const void *),
			 const void *key)
{
	const struct cbor_pair *pairs;
	cbor_item_t *found = NULL;
	size_t i;

	if (!map || !cbor_isa_map(map))
		return NULL;
	pairs = cbor_map_handle(map);
	for (i = 0; i < cbor_map_size(map); i++) {
		if (!is(pairs[i].key, key))
			continue;
		if (found)
			return NULL;
		found = pairs[i].value;
	}
	return found;
}

static bool is_number(const cbor_item_t *item, const void *key)
{
	int64_t value;

	return hsm_cbor_as_int(item, &value) && value == *(const int64_t *)key;
}

static bool is_text(const cbor_item_t *item, const void *key)
{
	const char *text;
	size_t length;

	return hsm_cbor_as_text(item, &text, &length) && length == strlen(key) &&
	       memcmp(text, key, length) == 0;
}

cbor_item_t *hsm_cbor_get(const cbor_item_t *map, int64_t key)
{
	return only(map, is_number, &key);
}

cbor_item_t *hsm_cbor_get_text(const cbor_item_t *map, const char *key)
{
	return only(map, is_text, key);
}
