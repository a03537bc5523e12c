// SPDX-License-Identifier: Apache-2.0
/*
 * Wycheproof's forms of tests with secret keys.
 */
#include "wycheproof.h"

static void aead(struct report *r, json_object *test, enum expect expect, void *context)
{
	const struct row *row = context;
	struct aead_vector v = {
		.type = row->type,
		.key_type = row->key_type,
		.key = json_hex(test, "key"),
		.iv = json_hex(test, "iv"),
		.aad = json_hex(test, "aad"),
		.text = json_hex(test, "msg"),
		.cipher = json_hex(test, "ct"),
		.tag = json_hex(test, "tag"),
	};

	check_aead(r, &v, expect);
}

void group_aead(struct report *r, const struct row *row, json_object *group)
{
	each_test(r, group, aead, (void *)row);
}

static void cipher(struct report *r, json_object *test, enum expect expect, void *context)
{
	const struct row *row = context;
	struct cipher_vector v = {
		.type = row->type,
		.key_type = row->key_type,
		.key = json_hex(test, "key"),
		.iv = json_hex(test, "iv"),
		.text = json_hex(test, "msg"),
		.cipher = json_hex(test, "ct"),
		.encrypt = true,
		.decrypt = true,
	};

	check_cipher(r, &v, expect);
}

void group_cipher(struct report *r, const struct row *row, json_object *group)
{
	each_test(r, group, cipher, (void *)row);
}

/* The tweak is the number of the data unit, which the vectors give without trailing zeros. */
static void xts(struct report *r, json_object *test, enum expect expect, void *context)
{
	const struct row *row = context;
	struct bytes key = json_hex(test, "key"), iv = json_hex(test, "iv");
	uint8_t tweak[16] = { 0 };
	struct cipher_vector v = {
		.type = row->type,
		.key_type = row->key_type,
		.key = key,
		.iv = { tweak, sizeof(tweak) },
		.text = json_hex(test, "msg"),
		.cipher = json_hex(test, "ct"),
		.encrypt = true,
		.decrypt = true,
	};

	if (key.length != 32 && key.length != 64) {
		report_left_out(r, "XTS is defined for two AES keys of 128 or of 256 bits");
		return;
	}
	if (iv.length > sizeof(tweak)) {
		report_left_out(r, "a tweak of more than one block");
		return;
	}
	memcpy(tweak, iv.data, iv.length);
	check_cipher(r, &v, expect);
}

void group_xts(struct report *r, const struct row *row, json_object *group)
{
	each_test(r, group, xts, (void *)row);
}

static void mac(struct report *r, json_object *test, enum expect expect, void *context)
{
	const struct row *row = context;
	struct bytes tag = json_hex(test, "tag");
	CK_MAC_GENERAL_PARAMS length = tag.length;
	CK_MECHANISM m = { row->type, &length, sizeof(length) };

	check_mac(r, &m, row->key_type, json_hex(test, "key"), json_hex(test, "msg"), tag, expect);
}

void group_mac(struct report *r, const struct row *row, json_object *group)
{
	each_test(r, group, mac, (void *)row);
}

static void gmac(struct report *r, json_object *test, enum expect expect, void *context)
{
	const struct row *row = context;
	struct bytes iv = json_hex(test, "iv"), tag = json_hex(test, "tag");
	CK_GCM_PARAMS params = { .pIv = (CK_BYTE *)iv.data,
				 .ulIvLen = iv.length,
				 .ulIvBits = iv.length * 8,
				 .ulTagBits = tag.length * 8 };
	CK_MECHANISM m = { row->type, &params, sizeof(params) };

	check_mac(r, &m, row->key_type, json_hex(test, "key"), json_hex(test, "msg"), tag, expect);
}

void group_gmac(struct report *r, const struct row *row, json_object *group)
{
	each_test(r, group, gmac, (void *)row);
}

static void wrap(struct report *r, json_object *test, enum expect expect, void *context)
{
	const struct row *row = context;
	CK_MECHANISM m = { row->type, NULL, 0 };

	check_wrap(r, &m, json_hex(test, "key"), json_hex(test, "msg"), json_hex(test, "ct"),
		   expect);
}

void group_wrap(struct report *r, const struct row *row, json_object *group)
{
	each_test(r, group, wrap, (void *)row);
}

static void hkdf(struct report *r, json_object *test, enum expect expect, void *context)
{
	unsigned long size = json_number(test, "size");

	if (expect != REFUSED && size > token_max_key(CKM_GENERIC_SECRET_KEY_GEN)) {
		report_left_out(r, "longer than the longest secret of the token");
		return;
	}
	check_hkdf(r, context, json_hex(test, "ikm"), json_hex(test, "salt"),
		   json_hex(test, "info"), json_hex(test, "okm"), size, expect);
}

void group_hkdf(struct report *r, const struct row *row, json_object *group)
{
	const char *name = strstr(r->file, "sha");
	char hash[16] = "";

	(void)row;
	snprintf(hash, sizeof(hash), "%.*s", (int)strcspn(name, "_"), name);
	each_test(r, group, hkdf, (void *)hash_named(hash));
}
