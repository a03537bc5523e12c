// SPDX-License-Identifier: Apache-2.0
/*
 * Records of vectors for key agreement.
 */
#include "cavp.h"

static struct buffer point, out, hashed;

static CK_RV private_key(const struct curve *curve, struct bytes value, CK_OBJECT_HANDLE *key)
{
	return key_ec_private(CKK_EC, curve_oid(curve), value, key);
}

static bool public_point(const struct curve *curve, struct bytes x, struct bytes y)
{
	if (!ecdsa_signature(curve, x, y, &point))
		return false;
	memmove(point.data + 1, point.data, point.length++);
	point.data[0] = 4;
	return true;
}

/* Sections "EC - SHA256": parameter set of SP 800-56A, and the digest */
static const struct curve *fax_curve(const struct record *record, char hash[16])
{
	static const char *const sets[][2] = {
		{ "EB", "P-224" }, { "EC", "P-256" }, { "ED", "P-384" }, { "EE", "P-521" }
	};
	char set[8] = "";
	size_t i;

	if (sscanf(record->section, "%7s - %15s", set, hash) != 2)
		return NULL;
	for (i = 0; i < COUNT(sets); i++) {
		if (!strcmp(sets[i][0], set))
			return curve_offered(sets[i][1]);
	}
	return NULL;
}

/*
 * The faults in the IUT's own public key are for who keeps such a key beside the private one;
 * PKCS#11 gives the token the private key and the other side's point.
 */
static bool own_fault(const struct record *record)
{
	return in(record_text(record, "Result"), "IUT's Static public key");
}

static bool fax_key(struct record *record, const struct cavp *c, const struct curve *curve,
		    CK_OBJECT_HANDLE *key)
{
	enum expect expect = record_result(record);
	CK_RV rv;

	*key = 0;
	if (!curve) {
		report_left_out(c->report, NO_SUCH_CURVE);
		return false;
	}
	if (own_fault(record)) {
		report_left_out(c->report,
				"the fault is in the own public key, which the token is not given");
		return false;
	}
	if (in(record_text(record, "Result"), "private key d changed")) {
		report_left_out(
			c->report,
			"the private key is not that of the public key, which the token is not given");
		return false;
	}
	rv = private_key(curve, record_hex(record, "dsIUT"), key);
	if (rv == CKR_CURVE_NOT_SUPPORTED)
		report_left_out(c->report, NO_SUCH_CURVE);
	else if (rv != CKR_OK)
		report_vector(c->report, expect == REFUSED, "private key", rv);
	else if (!public_point(curve, record_hex(record, "QsCAVSx"), record_hex(record, "QsCAVSy")))
		report_vector(c->report, expect == REFUSED, "public key", 0);
	else
		return true;
	token_destroy(*key);
	return false;
}

/* What the other side says of the secret: it, and its digest. A fault shows in one of them. */
void record_ecdh(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	char hash[16] = "";
	const struct curve *curve = fax_curve(record, hash);
	struct bytes z = record_hex(record, "Z"), digest = record_hex(record, "CAVSHashZZ");
	CK_ECDH1_DERIVE_PARAMS params = { .kdf = CKD_NULL };
	CK_MECHANISM m = { c->row->type, &params, sizeof(params) };
	CK_OBJECT_HANDLE key;
	bool good;
	CK_RV rv;

	if (!record_fresh(record, "Result") || !fax_key(record, c, curve, &key))
		return;
	params.pPublicData = point.data;
	params.ulPublicDataLen = point.length;
	rv = token_derive(&m, key, (curve->bits + 7) / 8, &out);
	good = rv == CKR_OK && same(of(&out), z) && hash_compute(hash, of(&out), &hashed) &&
	       same(of(&hashed), digest);
	report_vector(c->report, good == (record_result(record) == EXACT), "derive", rv);
	token_destroy(key);
}

static CK_ULONG concat_kdf(const char *hash)
{
	static const struct {
		const char *name;
		CK_ULONG kdf;
	} kdfs[] = {
		{ "SHA224", CKD_SHA224_KDF_SP800 },
		{ "SHA256", CKD_SHA256_KDF_SP800 },
		{ "SHA384", CKD_SHA384_KDF_SP800 },
		{ "SHA512", CKD_SHA512_KDF_SP800 },
	};
	size_t i;

	for (i = 0; i < COUNT(kdfs); i++) {
		if (!strcmp(kdfs[i].name, hash))
			return kdfs[i].kdf;
	}
	return CKD_NULL;
}

/* SP 800-56A's concatenation KDF. What follows the derived key, a MAC with it, is not the token's. */
void record_ecdh_kdf(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	char hash[16] = "";
	const struct curve *curve = fax_curve(record, hash);
	struct bytes info = record_hex(record, "OI"), dkm = record_hex(record, "DKM");
	const char *result = record_text(record, "Result");
	CK_ECDH1_DERIVE_PARAMS params = { .kdf = concat_kdf(hash) };
	CK_MECHANISM m = { c->row->type, &params, sizeof(params) };
	enum expect expect = record_result(record);
	CK_OBJECT_HANDLE key;
	bool good;
	CK_RV rv;

	if (!record_fresh(record, "Result"))
		return;
	if (in(result, "MACData") || in(result, "Tag changed") || in(result, "Z changed")) {
		report_left_out(c->report,
				"the fault is not in what the derivation takes or gives");
		return;
	}
	if (!fax_key(record, c, curve, &key))
		return;
	params.pPublicData = point.data;
	params.ulPublicDataLen = point.length;
	params.pSharedData = (CK_BYTE *)info.data;
	params.ulSharedDataLen = info.length;
	rv = token_derive(&m, key, dkm.length, &out);
	if (rv == CKR_MECHANISM_PARAM_INVALID && expect == EXACT && c->report->file_run == 0) {
		report_left_out(c->report, "the token does not offer this derivation after ECDH");
		token_destroy(key);
		return;
	}
	good = rv == CKR_OK && same(of(&out), dkm);
	report_vector(c->report, good == (expect == EXACT), "derive", rv);
	token_destroy(key);
}

void record_ecdh_brainpool(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	const struct curve *curve = curve_offered(record_text(record, "curve"));
	CK_OBJECT_HANDLE key = 0;
	CK_RV rv = CKR_CURVE_NOT_SUPPORTED;

	if (!record_fresh(record, "x_Z"))
		return;
	if (curve)
		rv = private_key(curve, record_hex(record, "dA"), &key);
	if (rv == CKR_CURVE_NOT_SUPPORTED)
		report_left_out(c->report, NO_SUCH_CURVE);
	else if (rv != CKR_OK ||
		 !public_point(curve, record_hex(record, "x_qB"), record_hex(record, "y_qB")))
		report_vector(c->report, false, "keys", rv);
	else
		check_ecdh(c->report, c->row->type, key, of(&point), record_hex(record, "x_Z"),
			   EXACT);
	token_destroy(key);
}

void record_xdh(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	const struct curve *curve =
		curve_named(in(c->report->file, "X448") ? "curve448" : "curve25519");
	CK_OBJECT_HANDLE key = 0;
	CK_RV rv;

	if (!record_fresh(record, "OUTPUT_U"))
		return;
	rv = key_ec_private(c->row->key_type, curve_oid(curve), record_hex(record, "INPUT_SCALAR"),
			    &key);
	if (rv == CKR_OK)
		check_ecdh(c->report, c->row->type, key, record_hex(record, "INPUT_U"),
			   record_hex(record, "OUTPUT_U"), EXACT);
	else
		report_vector(c->report, false, "key", rv);
	token_destroy(key);
}
