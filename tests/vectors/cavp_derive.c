// SPDX-License-Identifier: Apache-2.0
/*
 * Records of vectors for derivations of keys.
 */
#include "cavp.h"

#define TOO_LONG  "longer than the longest secret of the token"
#define TOO_SHORT "an output below the token's least secret"

static struct buffer out;

/* Does a derived key have a length that the token gives? */
static bool length_fits(struct report *r, size_t length)
{
	if (length > token_max_key(CKM_GENERIC_SECRET_KEY_GEN))
		report_left_out(r, TOO_LONG);
	else if (length < token_min_key(CKM_GENERIC_SECRET_KEY_GEN))
		report_left_out(r, TOO_SHORT);
	else
		return true;
	return false;
}

void record_hkdf(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	const struct hash *hash = hash_named(record_text(record, "Hash"));

	if (!record_fresh(record, "OKM") || !hash ||
	    !length_fits(c->report, record_number(record, "L")))
		return;
	check_hkdf(c->report, hash, record_hex(record, "IKM"), record_hex(record, "salt"),
		   record_hex(record, "info"), record_hex(record, "OKM"),
		   record_number(record, "L"), EXACT);
}

/* The mechanism takes a key's value for the message. */
void record_shake(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	CK_MECHANISM m = { c->row->type, NULL, 0 };
	struct bytes text = record_hex(record, "Msg"), want = record_hex(record, "Output");
	CK_OBJECT_HANDLE key;
	CK_RV rv;

	if (!record_fresh(record, "Output") || !length_fits(c->report, want.length))
		return;
	if (record_text(record, "Len") && !record_number(record, "Len"))
		text.length = 0;
	if (!text.length || text.length > token_max_key(CKM_GENERIC_SECRET_KEY_GEN)) {
		report_left_out(c->report, "the message is no length of a key of the token");
		return;
	}
	rv = token_secret(CKK_GENERIC_SECRET, text, &key);
	if (rv == CKR_OK)
		rv = token_derive(&m, key, want.length, &out);
	report_vector(c->report, rv == CKR_OK && same(of(&out), want), "derive", rv);
	token_destroy(key);
}
