// SPDX-License-Identifier: Apache-2.0
/*
 * Evidence as CBOR: what comes out of the encoder goes into the decoder; every claim of the table
 * is left out, put where it does not belong, given another type and put out of its bounds, and none
 * of it is read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <hsm/evidence.h>

static const uint8_t some[20000] = { 1, 2, 3 };
static const char text[] = "................................................................";

static cbor_item_t *some_attributes(void)
{
	cbor_item_t *map = cbor_new_definite_map(4), *list = cbor_new_definite_array(2);
	cbor_item_t *nested = cbor_new_definite_map(1);

	assert_true(hsm_cbor_push(list, hsm_cbor_uint(CKM_ECDSA)));
	assert_true(hsm_cbor_push(list, hsm_cbor_uint(CKM_ECDSA_SHA256)));
	assert_true(hsm_cbor_put(nested, CKA_SENSITIVE, cbor_build_bool(true)));
	assert_true(hsm_cbor_put(map, CKA_CLASS, hsm_cbor_uint(CKO_PRIVATE_KEY)));
	assert_true(hsm_cbor_put(map, CKA_SENSITIVE, cbor_build_bool(true)));
	assert_true(hsm_cbor_put(map, CKA_UNWRAP_TEMPLATE, nested));
	assert_true(hsm_cbor_put(map, CKA_ALLOWED_MECHANISMS, list));
	return map;
}

/* A value that suits the claim, of its least or its most */
static void set_claim(struct hsm_evidence *evidence, size_t claim, bool most)
{
	const struct hsm_claim_info *info = hsm_claim_at(claim);
	uint32_t n = most ? info->most : info->least;

	switch (info->type) {
	case HSM_CLAIM_TYPE_UINT:
	case HSM_CLAIM_TYPE_BOOL:
		hsm_evidence_number(evidence, claim, n);
		break;
	case HSM_CLAIM_TYPE_TEXT:
	case HSM_CLAIM_TYPE_VERSION:
		hsm_evidence_bytes(evidence, claim, text, n);
		break;
	case HSM_CLAIM_TYPE_ATTRIBUTES:
		evidence->claim[claim].present = true;
		evidence->attributes = some_attributes();
		break;
	default:
		hsm_evidence_bytes(evidence, claim, some, n);
	}
}

static void make(struct hsm_evidence *evidence, enum hsm_evidence_kind kind, bool most)
{
	memset(evidence, 0, sizeof(*evidence));
	for (size_t i = 0; i < HSM_CLAIMS; i++)
		if (hsm_claim_at(i)->kind <= kind && (most || hsm_claim_at(i)->must))
			set_claim(evidence, i, most);
	hsm_evidence_number(evidence, HSM_CLAIM_KIND, kind);
	hsm_evidence_text(evidence, HSM_CLAIM_PROFILE, HSM_EVIDENCE_PROFILE);
}

static void compare(const struct hsm_evidence *a, const struct hsm_evidence *b)
{
	for (size_t i = 0; i < HSM_CLAIMS; i++) {
		assert_int_equal(a->claim[i].present, b->claim[i].present);
		assert_int_equal(a->claim[i].number, b->claim[i].number);
		assert_int_equal(a->claim[i].length, b->claim[i].length);
		if (a->claim[i].length)
			assert_memory_equal(a->claim[i].bytes, b->claim[i].bytes,
					    a->claim[i].length);
	}
}

static void test_all_comes_back(void **state)
{
	struct hsm_evidence evidence, read;
	const char *wrong;
	uint8_t *bytes;
	size_t length;

	(void)state;
	for (unsigned int kind = HSM_EVIDENCE_DEVICE; kind <= HSM_EVIDENCE_KEY; kind++) {
		for (int most = 0; most < 2; most++) {
			make(&evidence, kind, most);
			assert_int_equal(hsm_evidence_encode(&evidence, &bytes, &length), 0);
			assert_int_equal(hsm_evidence_decode(bytes, length, &read, &wrong), 0);
			compare(&evidence, &read);
			assert_int_equal(!!read.attributes, kind == HSM_EVIDENCE_KEY);
			hsm_evidence_free(&read);
			/* Nothing behind it, nothing missing */
			assert_true(hsm_evidence_decode(bytes, length - 1, &read, &wrong) < 0);
			hsm_evidence_free(&read);
			hsm_evidence_free(&evidence);
			free(bytes);
		}
	}
}

/* The order of encoded keys (RFC 8949, 4.2.1) is the table's: verifiers of others may ask for it. */
static void test_order_of_keys(void **state)
{
	const struct hsm_claim_info *last = hsm_claim_at(0), *info;

	(void)state;
	for (size_t i = 1; (info = hsm_claim_at(i)); i++, last = info) {
		if (last->key > 0 && info->key > 0)
			assert_true(info->key > last->key);
		else if (last->key < 0)
			assert_true(info->key < last->key);
	}
	assert_null(hsm_claim_at(HSM_CLAIMS));
}

static void test_encoder_refuses(void **state)
{
	struct hsm_evidence evidence;
	struct hsm_claim_value *value;
	uint8_t *bytes;
	size_t length;

	(void)state;
	for (size_t i = 0; i < HSM_CLAIMS; i++) {
		make(&evidence, HSM_EVIDENCE_KEY, true);
		value = &evidence.claim[i];
		if (hsm_claim_at(i)->type == HSM_CLAIM_TYPE_BYTES ||
		    hsm_claim_at(i)->type == HSM_CLAIM_TYPE_TEXT)
			value->length = hsm_claim_at(i)->most + 1;
		else if (!hsm_claim_at(i)->must)
			value->number = (uint64_t)hsm_claim_at(i)->most + 1;
		else
			value->present = false;
		assert_true(hsm_evidence_encode(&evidence, &bytes, &length) < 0);
		hsm_evidence_free(&evidence);
		if (hsm_claim_at(i)->kind == HSM_EVIDENCE_DEVICE)
			continue;
		make(&evidence, HSM_EVIDENCE_DEVICE, true);
		set_claim(&evidence, i, true);
		assert_true(hsm_evidence_encode(&evidence, &bytes, &length) < 0);
		hsm_evidence_free(&evidence);
	}
}

/* ---- the decoder before somebody else's bytes ---- */

static cbor_item_t *copy_value(const cbor_item_t *map, size_t index)
{
	return cbor_incref(cbor_map_handle(map)[index].value);
}

/*
 * The map again, with the claim at @index left out (@value NULL) or with another value, and @extra
 * behind all
 */
static bool decodes(const cbor_item_t *map, size_t index, cbor_item_t *value, int64_t extra)
{
	size_t count = cbor_map_size(map), length;
	cbor_item_t *other = cbor_new_definite_map(count - !value + !!extra);
	struct hsm_evidence evidence;
	const char *wrong = NULL;
	uint8_t *bytes;
	bool good;
	int64_t key;

	for (size_t i = 0; i < count; i++) {
		if (i == index && !value)
			continue;
		assert_true(hsm_cbor_as_int(cbor_map_handle(map)[i].key, &key));
		assert_true(hsm_cbor_put(other, key, i == index ? value : copy_value(map, i)));
	}
	if (extra)
		assert_true(hsm_cbor_put(other, extra, hsm_cbor_uint(1)));
	assert_int_equal(hsm_cbor_write(other, &bytes, &length), 0);
	good = hsm_evidence_decode(bytes, length, &evidence, &wrong) == 0;
	if (!good)
		assert_non_null(wrong);
	hsm_evidence_free(&evidence);
	cbor_decref(&other);
	free(bytes);
	return good;
}

static cbor_item_t *too_much(size_t claim)
{
	const struct hsm_claim_info *info = hsm_claim_at(claim);
	cbor_item_t *array;

	switch (info->type) {
	case HSM_CLAIM_TYPE_UINT:
		return hsm_cbor_uint((uint64_t)info->most + 1);
	case HSM_CLAIM_TYPE_BYTES:
		return cbor_build_bytestring(some, info->most + 1);
	case HSM_CLAIM_TYPE_TEXT:
		return cbor_build_stringn(text, info->most + 1);
	case HSM_CLAIM_TYPE_VERSION:
		array = cbor_new_definite_array(1);
		assert_true(hsm_cbor_push(array, cbor_build_stringn(text, info->most + 1)));
		return array;
	case HSM_CLAIM_TYPE_ATTRIBUTES:
		return cbor_new_definite_map(0);
	default:
		return hsm_cbor_uint(1); /* a boolean that is a number */
	}
}

static void test_each_claim(void **state)
{
	struct hsm_evidence evidence;
	cbor_item_t *map;
	uint8_t *bytes;
	size_t length, at = 0;

	(void)state;
	make(&evidence, HSM_EVIDENCE_KEY, true);
	assert_int_equal(hsm_evidence_encode(&evidence, &bytes, &length), 0);
	map = hsm_cbor_read(bytes, length);
	assert_int_equal(cbor_map_size(map), HSM_CLAIMS);
	assert_true(decodes(map, 0, copy_value(map, 0), 0));
	for (size_t i = 0; i < HSM_CLAIMS; i++, at++) {
		assert_int_equal(decodes(map, at, NULL, 0), !hsm_claim_at(i)->must);
		assert_false(decodes(map, at, cbor_build_float8(1.5), 0));
		assert_false(decodes(map, at, cbor_new_null(), 0));
		assert_false(decodes(map, at, too_much(i), 0));
	}
	/* One more that nobody knows, and one that comes twice */
	assert_false(decodes(map, 0, copy_value(map, 0), -71000));
	assert_false(decodes(map, 0, copy_value(map, 0), hsm_claim_at(HSM_CLAIM_ATTRIBUTES)->key));
	cbor_decref(&map);
	hsm_evidence_free(&evidence);
	free(bytes);
}

static void test_kind_and_claims(void **state)
{
	struct hsm_evidence evidence;
	cbor_item_t *map;
	uint8_t *bytes;
	size_t length;

	(void)state;
	make(&evidence, HSM_EVIDENCE_PARTITION, false);
	assert_int_equal(hsm_evidence_encode(&evidence, &bytes, &length), 0);
	map = hsm_cbor_read(bytes, length);
	for (size_t i = 0; i < cbor_map_size(map); i++) {
		int64_t key;

		assert_true(hsm_cbor_as_int(cbor_map_handle(map)[i].key, &key));
		if (key != hsm_claim_at(HSM_CLAIM_KIND)->key)
			continue;
		assert_true(decodes(map, i, hsm_cbor_uint(HSM_EVIDENCE_PARTITION), 0));
		assert_false(decodes(map, i, hsm_cbor_uint(HSM_EVIDENCE_KEY), 0));
		assert_false(decodes(map, i, hsm_cbor_uint(HSM_EVIDENCE_DEVICE), 0));
	}
	cbor_decref(&map);
	hsm_evidence_free(&evidence);
	free(bytes);
}

static cbor_item_t *one_attribute(int64_t key, cbor_item_t *value)
{
	cbor_item_t *map = cbor_new_definite_map(1);

	assert_true(hsm_cbor_put(map, key, value));
	return map;
}

static void test_attributes(void **state)
{
	cbor_item_t *map, *deep = one_attribute(CKA_SENSITIVE, cbor_build_bool(true));
	cbor_item_t *list = cbor_new_definite_array(1), *unordered = cbor_new_definite_map(2);
	const size_t at = HSM_CLAIM_ATTRIBUTES;
	struct hsm_evidence evidence;
	uint8_t *bytes;
	size_t length;

	(void)state;
	make(&evidence, HSM_EVIDENCE_KEY, true);
	assert_int_equal(hsm_evidence_encode(&evidence, &bytes, &length), 0);
	map = hsm_cbor_read(bytes, length);
	assert_true(decodes(map, at, one_attribute(CKA_LABEL, cbor_build_bytestring(some, 3)), 0));
	assert_false(decodes(map, at, one_attribute(-1, cbor_build_bool(true)), 0));
	assert_false(decodes(map, at, one_attribute(CKA_LABEL, cbor_build_string("text")), 0));
	assert_true(hsm_cbor_push(list, cbor_build_string("CKM_ECDSA")));
	assert_false(decodes(map, at, one_attribute(CKA_ALLOWED_MECHANISMS, list), 0));
	assert_true(hsm_cbor_put(unordered, CKA_SENSITIVE, cbor_build_bool(true)));
	assert_true(hsm_cbor_put(unordered, CKA_CLASS, hsm_cbor_uint(CKO_SECRET_KEY)));
	assert_false(decodes(map, at, unordered, 0));
	for (int depth = 0; depth < 4; depth++)
		deep = one_attribute(CKA_WRAP_TEMPLATE, deep);
	assert_true(decodes(map, at, cbor_incref(deep), 0));
	assert_false(decodes(map, at, one_attribute(CKA_WRAP_TEMPLATE, deep), 0));
	cbor_decref(&map);
	hsm_evidence_free(&evidence);
	free(bytes);
}

static void test_no_map(void **state)
{
	static const uint8_t *const bad[] = { (const uint8_t *)"\x80", (const uint8_t *)"\x01",
					      (const uint8_t *)"\xa0", (const uint8_t *)"\xbf" };
	struct hsm_evidence evidence;
	const char *wrong;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_true(hsm_evidence_decode(bad[i], 1, &evidence, &wrong) < 0);
		hsm_evidence_free(&evidence);
	}
	assert_true(hsm_evidence_decode(bad[0], 0, &evidence, &wrong) < 0);
	hsm_evidence_free(&evidence);
}

static void test_names(void **state)
{
	(void)state;
	for (uint32_t i = HSM_LIFECYCLE_DEVELOPMENT; i <= HSM_LIFECYCLE_DECOMMISSIONED; i++)
		assert_string_equal(hsm_claim_name(HSM_CLAIM_LIFECYCLE, i), hsm_lifecycle_name(i));
	for (unsigned int i = 0; i < HSM_PROFILES; i++)
		assert_string_equal(hsm_claim_name(HSM_CLAIM_POLICY_PROFILE, i),
				    hsm_profile_name(i));
	assert_null(hsm_claim_name(HSM_CLAIM_LIFECYCLE, 77));
	assert_string_equal(hsm_attribute_name(CKA_LABEL), "CKA_LABEL");
	assert_null(hsm_attribute_name(0x7fffffff));
	assert_string_equal(hsm_attribute_number_name(CKA_CLASS, CKO_SECRET_KEY), "CKO_SECRET_KEY");
	assert_string_equal(hsm_attribute_number_name(CKA_KEY_TYPE, CKK_AES), "CKK_AES");
	assert_string_equal(hsm_attribute_number_name(CKA_ALLOWED_MECHANISMS, CKM_ECDSA),
			    "CKM_ECDSA");
	assert_null(hsm_attribute_number_name(CKA_MODULUS_BITS, CKM_ECDSA));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_comes_back),	cmocka_unit_test(test_order_of_keys),
		cmocka_unit_test(test_encoder_refuses), cmocka_unit_test(test_each_claim),
		cmocka_unit_test(test_kind_and_claims), cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_no_map),		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
