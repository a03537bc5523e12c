// SPDX-License-Identifier: Apache-2.0
/*
 * Records of vectors for signatures and for RSA decryption. The key stands in the record or above
 * it, and stays while it is the same.
 */
#define _POSIX_C_SOURCE 200809L
#include "cavp.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#define KEY_SIZE "the size of the RSA key is not one of the token's"

static struct buffer out, plain;

/* ---- RSA ---- */

static bool rsa_fits(struct report *r, struct bytes n, CK_MECHANISM_TYPE type)
{
	size_t bits = number(n).length * 8;
	uint8_t top;

	for (top = n.length ? number(n).data[0] : 0; top && !(top & 0x80);
	     top = (uint8_t)(top << 1))
		bits--;
	if (bits >= token_min_key(type) && bits <= token_max_key(type))
		return true;
	report_left_out(r, KEY_SIZE);
	return false;
}

/* The public key of a record, in the token; 0 when the vector is done with */
static CK_OBJECT_HANDLE rsa_public(const struct cavp *c, struct bytes n, struct bytes e,
				   enum expect expect)
{
	CK_OBJECT_HANDLE key = 0;
	CK_RV rv;

	if (!rsa_fits(c->report, n, c->row->type))
		return 0;
	rv = key_rsa_public(n, e, &key);
	if (rv == CKR_OK)
		return key;
	if (small_exponent(e, rv))
		report_left_out(c->report, SMALL_EXPONENT);
	else
		report_vector(c->report, expect == REFUSED, "key", rv);
	return 0;
}

static enum expect signature_result(const struct record *record)
{
	return record_fresh(record, "Result") ? record_result(record) : EXACT;
}

void record_rsa_pkcs(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	enum expect expect = signature_result(record);
	CK_OBJECT_HANDLE key;

	if (!record_fresh(record, "S"))
		return;
	key = rsa_public(c, record_hex(record, "n"), record_hex(record, "e"), expect);
	if (key)
		check_rsa_pkcs(c->report, record_text(record, "SHAAlg"), key,
			       record_hex(record, "Msg"), record_hex(record, "S"), expect);
	token_destroy(key);
}

void record_rsa_pss(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	enum expect expect = signature_result(record);
	const char *hash = record_text(record, "SHAAlg");
	CK_OBJECT_HANDLE key;

	if (!record_fresh(record, "S"))
		return;
	key = rsa_public(c, record_hex(record, "n"), record_hex(record, "e"), expect);
	if (key)
		check_rsa_pss(c->report, hash, hash, record_number(record, "# Salt len"), key,
			      record_hex(record, "Msg"), record_hex(record, "S"), expect);
	token_destroy(key);
}

void record_pss_text(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	CK_OBJECT_HANDLE key;

	if (!record_fresh(record, "Signature"))
		return;
	key = rsa_public(c, record_hex(record, "Modulus"), record_hex(record, "Public exponent"),
			 EXACT);
	if (key)
		check_rsa_pss(c->report, "SHA-1", "SHA-1", record_hex(record, "Salt").length, key,
			      record_hex(record, "Message to be signed"),
			      record_hex(record, "Signature"), EXACT);
	token_destroy(key);
}

void record_pkcs1_sign(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	CK_OBJECT_HANDLE key;

	if (!record_fresh(record, "Signature"))
		return;
	key = rsa_public(c, record_hex(record, "Modulus"), record_hex(record, "Public exponent"),
			 EXACT);
	if (key)
		check_rsa_pkcs(c->report, "SHA-1", key, record_hex(record, "Message to be signed"),
			       record_hex(record, "Signature"), EXACT);
	token_destroy(key);
}

/* ---- RSA decryption ---- */

/* The token checks a private key when it comes, which takes its time: it stays while it is the same. */
static struct buffer last_modulus;
static CK_OBJECT_HANDLE last_key;

static CK_OBJECT_HANDLE rsa_private(const struct cavp *c, struct record *record)
{
	struct rsa_private rsa = {
		.n = record_hex(record, "Modulus"),
		.e = record_hex(record, "Public exponent"),
		.d = record_hex(record, "Exponent"),
		.p = record_hex(record, "Prime 1"),
		.q = record_hex(record, "Prime 2"),
		.dp = record_hex(record, "Prime exponent 1"),
		.dq = record_hex(record, "Prime exponent 2"),
		.qi = record_hex(record, "Coefficient"),
	};
	CK_RV rv;

	if (!rsa_fits(c->report, rsa.n, c->row->type))
		return 0;
	if (last_key && same(of(&last_modulus), rsa.n))
		return last_key;
	token_destroy(last_key);
	last_key = 0;
	rv = key_rsa_private(&rsa, &last_key);
	if (rv != CKR_OK)
		report_vector(c->report, false, "key", rv);
	memcpy(last_modulus.data, rsa.n.data, rsa.n.length);
	last_modulus.length = rsa.n.length;
	return last_key;
}

/* oaep-MGF-HASH.txt; the other file has SHA-1 for both. */
static void oaep_names(const char *file, char mgf[16], char hash[16])
{
	const char *at = strstr(file, "oaep-sha");

	strcpy(mgf, "SHA-1");
	strcpy(hash, "SHA-1");
	if (at)
		sscanf(at, "oaep-%15[a-z0-9]-%15[a-z0-9]", mgf, hash);
}

void record_oaep(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	CK_RSA_PKCS_OAEP_PARAMS params;
	CK_MECHANISM m = { c->row->type, &params, sizeof(params) };
	CK_OBJECT_HANDLE key;
	char mgf[16], hash[16];

	if (!record_fresh(record, "Encryption"))
		return;
	oaep_names(c->report->file, mgf, hash);
	key = rsa_private(c, record);
	if (key && oaep_parameter(&params, hash, mgf, (struct bytes){ NULL, 0 }))
		check_rsa_decrypt(c->report, &m, key, record_hex(record, "Encryption"),
				  record_hex(record, "Message"), EXACT);
}

void record_pkcs1_crypt(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	CK_MECHANISM m = { c->row->type, NULL, 0 };
	CK_OBJECT_HANDLE key;

	if (!record_fresh(record, "Encryption"))
		return;
	key = rsa_private(c, record);
	if (key)
		check_rsa_decrypt(c->report, &m, key, record_hex(record, "Encryption"),
				  record_hex(record, "Message"), EXACT);
}

static struct bytes pkey_number(EVP_PKEY *pkey, const char *name, uint8_t *to)
{
	BIGNUM *value = NULL;
	int length = 0;

	if (EVP_PKEY_get_bn_param(pkey, name, &value) == 1)
		length = BN_bn2bin(value, to);
	BN_clear_free(value);
	return (struct bytes){ to, (size_t)length };
}

/* One vector, its key in PKCS#8 */
void record_oaep_label(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	struct bytes der = record_hex(record, "KEY"), text = record_string(record, "Output");
	const unsigned char *at = der.data;
	EVP_PKEY *pkey = d2i_AutoPrivateKey(NULL, &at, (long)der.length);
	uint8_t part[8][1024];
	CK_RSA_PKCS_OAEP_PARAMS params;
	CK_MECHANISM m = { c->row->type, &params, sizeof(params) };
	CK_OBJECT_HANDLE key = 0;
	struct rsa_private rsa;
	CK_RV rv;

	if (!pkey || text.length < 2)
		return;
	rsa = (struct rsa_private){
		pkey_number(pkey, OSSL_PKEY_PARAM_RSA_N, part[0]),
		pkey_number(pkey, OSSL_PKEY_PARAM_RSA_E, part[1]),
		pkey_number(pkey, OSSL_PKEY_PARAM_RSA_D, part[2]),
		pkey_number(pkey, OSSL_PKEY_PARAM_RSA_FACTOR1, part[3]),
		pkey_number(pkey, OSSL_PKEY_PARAM_RSA_FACTOR2, part[4]),
		pkey_number(pkey, OSSL_PKEY_PARAM_RSA_EXPONENT1, part[5]),
		pkey_number(pkey, OSSL_PKEY_PARAM_RSA_EXPONENT2, part[6]),
		pkey_number(pkey, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, part[7]),
	};
	rv = key_rsa_private(&rsa, &key);
	if (rv == CKR_OK &&
	    oaep_parameter(&params, record_text(record, "OAEPDigest"),
			   record_text(record, "OAEPDigest"), record_hex(record, "OAEPLabel")))
		check_rsa_decrypt(c->report, &m, key, record_hex(record, "Input"),
				  (struct bytes){ text.data + 1, text.length - 2 }, EXACT);
	else
		report_vector(c->report, false, "key", rv);
	token_destroy(key);
	EVP_PKEY_free(pkey);
}

/* ---- ECDSA ---- */

/* [P-256,SHA-256] names curve and digest, [P-256] the curve: FIPS 186-2 knew SHA-1 alone. */
static const struct curve *section_curve(const struct record *record, char hash[16])
{
	char name[64] = "";

	strcpy(hash, "SHA-1");
	sscanf(record->section, "%63[^,],%15s", name, hash);
	return curve_offered(name);
}

static bool point(const struct curve *curve, struct bytes x, struct bytes y, struct buffer *to)
{
	if (!ecdsa_signature(curve, x, y, to))
		return false;
	memmove(to->data + 1, to->data, to->length++);
	to->data[0] = 4;
	return true;
}

void record_ecdsa(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	enum expect expect = signature_result(record);
	char hash[16];
	const struct curve *curve = section_curve(record, hash);
	CK_OBJECT_HANDLE key = 0;
	CK_RV rv = CKR_ARGUMENTS_BAD;

	if (!record_fresh(record, "S"))
		return;
	if (in(c->report->file, "SECP256K1")) {
		curve = curve_offered("secp256k1");
	}
	if (!curve) {
		report_left_out(c->report, NO_SUCH_CURVE);
		return;
	}
	if (point(curve, record_hex(record, "Qx"), record_hex(record, "Qy"), &plain))
		rv = key_ec_public(CKK_EC, curve_oid(curve), of(&plain), &key);
	if (rv == CKR_CURVE_NOT_SUPPORTED)
		report_left_out(c->report, NO_SUCH_CURVE);
	else if (rv != CKR_OK ||
		 !ecdsa_signature(curve, record_hex(record, "R"), record_hex(record, "S"), &plain))
		report_vector(c->report, expect == REFUSED, "key", rv);
	else
		check_ecdsa(c->report, hash, key, record_hex(record, "Msg"), of(&plain), expect);
	token_destroy(key);
}

/* A public key that is on the curve or not: when it is made, or when it is first used */
void record_ecdsa_public(struct record *record, void *cavp)
{
	static const uint8_t zero[140];
	const struct cavp *c = cavp;
	enum expect expect = record_result(record);
	char hash[16];
	const struct curve *curve = section_curve(record, hash);
	CK_MECHANISM m = { CKM_ECDSA, NULL, 0 };
	CK_OBJECT_HANDLE key = 0;
	CK_RV rv = CKR_ARGUMENTS_BAD;

	if (!record_fresh(record, "Result"))
		return;
	if (!curve) {
		report_left_out(c->report, NO_SUCH_CURVE);
		return;
	}
	if (point(curve, record_hex(record, "Qx"), record_hex(record, "Qy"), &plain))
		rv = key_ec_public(CKK_EC, curve_oid(curve), of(&plain), &key);
	if (rv == CKR_CURVE_NOT_SUPPORTED) {
		report_left_out(c->report, NO_SUCH_CURVE);
		return;
	}
	if (rv == CKR_OK) {
		rv = token_verify(&m, key, (struct bytes){ zero, 32 },
				  (struct bytes){ zero, 2 * ((curve->bits + 7) / 8) });
		rv = rv == CKR_SIGNATURE_INVALID ? CKR_OK : rv;
	}
	report_vector(c->report, (rv == CKR_OK) == (expect == EXACT), "public key", rv);
	token_destroy(key);
}

/* Is Q = d G? The token agrees on a key with itself: d times Q is d d G, for which Q is asked. */
void record_ecdsa_pair(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	char hash[16];
	const struct curve *curve = section_curve(record, hash);
	CK_OBJECT_HANDLE key = 0;
	struct bytes oid;
	EC_GROUP *group;
	EC_POINT *base;
	CK_RV rv;
	uint8_t g[140];
	size_t length;

	if (!record_fresh(record, "Qy"))
		return;
	if (!curve) {
		report_left_out(c->report, NO_SUCH_CURVE);
		return;
	}
	oid = curve_oid(curve);
	rv = key_ec_private(CKK_EC, oid, record_hex(record, "d"), &key);
	if (rv == CKR_CURVE_NOT_SUPPORTED) {
		report_left_out(c->report, NO_SUCH_CURVE);
		return;
	}
	if (rv != CKR_OK) {
		report_vector(c->report, false, "private key", rv);
		return;
	}
	group = EC_GROUP_new_by_curve_name(OBJ_txt2nid(curve->evp));
	base = EC_POINT_dup(EC_GROUP_get0_generator(group), group);
	length = EC_POINT_point2oct(group, base, POINT_CONVERSION_UNCOMPRESSED, g, sizeof(g), NULL);
	point(curve, record_hex(record, "Qx"), record_hex(record, "Qy"), &plain);
	/* d times the base point: its x is that of Q */
	check_ecdh(c->report, CKM_ECDH1_DERIVE, key, (struct bytes){ g, length },
		   (struct bytes){ plain.data + 1, (plain.length - 1) / 2 }, EXACT);
	EC_POINT_free(base);
	EC_GROUP_free(group);
	token_destroy(key);
}

/*
 * RFC 6979 in the form of OpenSSL's own tests: named keys in PEM, then signatures in DER. The
 * token's nonces are random, so that only the verifications are for it.
 */
struct named_key {
	char name[40];
	const struct curve *curve;
	CK_OBJECT_HANDLE key;
};

struct rfc6979 {
	struct report *r;
	struct named_key key[16];
	size_t keys;
};

static void read_key(struct rfc6979 *file, FILE *from, const char *name)
{
	struct named_key *key = &file->key[file->keys];
	EVP_PKEY *pkey = PEM_read_PUBKEY(from, NULL, NULL, NULL);
	char group[64] = "";
	uint8_t point_bytes[140];
	size_t length = 0;

	if (!pkey || file->keys == COUNT(file->key))
		goto out;
	snprintf(key->name, sizeof(key->name), "%s", name);
	EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL);
	key->curve = curve_offered(!strcmp(group, "prime256v1") ? "secp256r1" : group);
	EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, point_bytes,
					sizeof(point_bytes), &length);
	if (key->curve)
		key_ec_public(CKK_EC, curve_oid(key->curve), (struct bytes){ point_bytes, length },
			      &key->key);
	file->keys++;
out:
	EVP_PKEY_free(pkey);
}

static bool der_signature(const struct curve *curve, struct bytes der, struct buffer *to)
{
	const unsigned char *at = der.data;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)der.length);
	unsigned char r[80], s[80];
	bool good = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), r, sizeof(r)) > 0 &&
		    BN_bn2binpad(ECDSA_SIG_get0_s(sig), s, sizeof(s)) > 0 &&
		    ecdsa_signature(curve, (struct bytes){ r, sizeof(r) },
				    (struct bytes){ s, sizeof(s) }, to);

	ECDSA_SIG_free(sig);
	return good;
}

static void rfc6979_record(struct record *record, void *context)
{
	struct rfc6979 *file = context;
	const char *name = record_text(record, "Key"), *hash = record_text(record, "DigestVerify");
	bool fail = record_fresh(record, "Result");
	struct bytes text = record_string(record, "Input"), der;
	size_t i;

	if (!record_fresh(record, "DigestVerify") || !record_fresh(record, "Output"))
		return;
	for (i = 0; i < file->keys && strcmp(file->key[i].name, name); i++)
		;
	if (i == file->keys || !file->key[i].key) {
		report_left_out(file->r, NO_SUCH_CURVE);
		return;
	}
	der = record_hex(record, "Output");
	if (text.length < 2 || !der_signature(file->key[i].curve, der, &plain)) {
		report_vector(file->r, fail, "encoding", 0);
		return;
	}
	check_ecdsa(file->r, hash, file->key[i].key,
		    (struct bytes){ text.data + 1, text.length - 2 }, of(&plain),
		    fail ? REFUSED : EXACT);
}

void file_rfc6979(struct report *r, const struct row *row, const char *path)
{
	struct rfc6979 file = { .r = r };
	FILE *from = fopen(path, "r");
	char *line = NULL, name[40];
	size_t room = 0;

	(void)row;
	while (from && getline(&line, &room, from) > 0) {
		if (sscanf(line, "PublicKey = %39s", name) == 1)
			read_key(&file, from, name);
	}
	free(line);
	if (from)
		fclose(from);
	records_read(path, NULL, rfc6979_record, &file);
	while (file.keys)
		token_destroy(file.key[--file.keys].key);
}

/* ---- EdDSA ---- */

/* Signatures are determined: the token makes the same and verifies it. */
static void eddsa(struct report *r, const char *name, struct bytes context, struct bytes secret,
		  struct bytes public, struct bytes text, struct bytes signature)
{
	struct bytes oid = curve_oid(curve_named(name));
	CK_EDDSA_PARAMS params = { CK_FALSE, context.length, (CK_BYTE *)context.data };
	CK_MECHANISM m = { CKM_EDDSA, context.length ? &params : NULL,
			   context.length ? sizeof(params) : 0 };
	CK_OBJECT_HANDLE private_key = 0, public_key = 0;
	CK_RV rv = key_ec_private(CKK_EC_EDWARDS, oid, secret, &private_key);
	bool good;

	if (rv == CKR_CURVE_NOT_SUPPORTED) {
		report_left_out(r, NO_SUCH_CURVE);
		return;
	}
	if (rv == CKR_OK)
		rv = token_sign(&m, private_key, text, &out);
	good = rv == CKR_OK && same(of(&out), signature);
	if (good)
		rv = key_ec_public(CKK_EC_EDWARDS, oid, public, &public_key);
	if (good && rv == CKR_OK)
		rv = token_verify(&m, public_key, text, signature);
	report_vector(r, good && rv == CKR_OK, good ? "verify" : "sign", rv);
	token_destroy(private_key);
	token_destroy(public_key);
}

void record_eddsa(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	struct bytes none = { NULL, 0 };

	if (record_fresh(record, "SIGNATURE"))
		eddsa(c->report, "edwards448",
		      record_fresh(record, "CONTEXT") ? record_hex(record, "CONTEXT") : none,
		      record_hex(record, "SECRET"), record_hex(record, "PUBLIC"),
		      record_hex(record, "MESSAGE"), record_hex(record, "SIGNATURE"));
}

/* secret and public key : public key : message : signature and message : */
void file_ed25519(struct report *r, const struct row *row, const char *path)
{
	static struct record record;
	FILE *file = fopen(path, "r");
	char *line = NULL, *rest, *part[4] = { NULL };
	size_t room = 0, i;
	struct bytes secret, public, text, signature, none = { NULL, 0 };

	(void)row;
	record.scratch = malloc(sizeof(struct buffer));
	while (file && record.scratch && getline(&line, &room, file) > 0) {
		rest = line;
		for (i = 0; i < COUNT(part); i++)
			part[i] = strsep(&rest, ":");
		if (!part[3])
			continue;
		record.used = 0;
		secret = record_decode(&record, part[0]);
		public = record_decode(&record, part[1]);
		text = record_decode(&record, part[2]);
		signature = record_decode(&record, part[3]);
		secret.length = 32;
		signature.length = 64;
		eddsa(r, "edwards25519", none, secret, public, text, signature);
	}
	free(line);
	free(record.scratch);
	if (file)
		fclose(file);
}
