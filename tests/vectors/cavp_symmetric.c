// SPDX-License-Identifier: Apache-2.0
/*
 * Records of CAVP's answers for ciphers, digests, MACs and key wrapping.
 */
#include "cavp.h"

/* Chains of a Monte Carlo file that are run: each is a thousand digests. */
#define CHAINS 10

static void name_record(struct report *r, const struct record *record)
{
	static char id[300];
	const char *count = record_text(record, "COUNT");

	if (!count)
		count = record_text(record, "Count");
	snprintf(id, sizeof(id), "[%s] %s", record->section, count ? count : "");
	r->id = id;
}

/* ---- modes of block ciphers ---- */

/* Triple DES has three keys, or one that stands for all of them. */
static struct bytes cipher_key(struct record *record)
{
	static uint8_t keys[24];
	struct bytes part[3];
	int i;

	if (record_fresh(record, "KEY"))
		return record_hex(record, "KEY");
	for (i = 0; i < 3; i++) {
		char name[] = "KEY1";

		name[3] = (char)('1' + i);
		part[i] = record_hex(record, record_fresh(record, "KEYs") ? "KEYs" : name);
		if (part[i].length == 8)
			memcpy(keys + 8 * i, part[i].data, 8);
	}
	return (struct bytes){ keys, sizeof(keys) };
}

void record_cipher(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	bool decrypt = in(record->section, "DECRYPT");
	struct cipher_vector v = {
		.type = c->row->type,
		.key_type = c->row->key_type,
		.key = cipher_key(record),
		.iv = record_hex(record, "IV"),
		.text = record_hex(record, "PLAINTEXT"),
		.cipher = record_hex(record, "CIPHERTEXT"),
		.encrypt = !decrypt,
		.decrypt = decrypt,
	};

	if (!record_fresh(record, "CIPHERTEXT") || !record_fresh(record, "PLAINTEXT"))
		return;
	name_record(c->report, record);
	check_cipher(c->report, &v, EXACT);
}

void record_camellia(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	struct cipher_vector v = {
		.type = c->row->type,
		.key_type = c->row->key_type,
		.key = record_hex(record, "K"),
		.text = record_hex(record, "P"),
		.cipher = record_hex(record, "C"),
		.encrypt = true,
		.decrypt = true,
	};

	if (record_fresh(record, "C"))
		check_cipher(c->report, &v, EXACT);
}

void record_ctr(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	CK_AES_CTR_PARAMS params = { .ulCounterBits = 32 };
	struct bytes iv = record_hex(record, "IV");
	struct cipher_vector v = {
		.type = c->row->type,
		.key_type = c->row->key_type,
		.key = record_hex(record, "KEY"),
		.iv = { (const uint8_t *)&params, sizeof(params) },
		.text = record_hex(record, "PLAINTEXT"),
		.cipher = record_hex(record, "CIPHERTEXT"),
		.encrypt = true,
		.decrypt = true,
	};

	if (!record_fresh(record, "CIPHERTEXT") || iv.length != sizeof(params.cb))
		return;
	memcpy(params.cb, iv.data, iv.length);
	name_record(c->report, record);
	check_cipher(c->report, &v, EXACT);
}

/* The tweak is given, or the number of the data unit, whose first byte is the least. */
void record_xts(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	unsigned long unit = record_number(record, "DataUnitSeqNumber");
	struct bytes tweak = record_hex(record, "i");
	uint8_t iv[16] = { 0 };
	bool decrypt = in(record->section, "DECRYPT");
	struct cipher_vector v = {
		.type = c->row->type,
		.key_type = c->row->key_type,
		.key = record_hex(record, "Key"),
		.iv = { iv, sizeof(iv) },
		.text = record_hex(record, "PT"),
		.cipher = record_hex(record, "CT"),
		.encrypt = !decrypt,
		.decrypt = decrypt,
	};
	size_t i;

	if (!record_fresh(record, "PT") || !record_fresh(record, "CT"))
		return;
	if (record_number(record, "DataUnitLen") % 8) {
		report_left_out(c->report, "data units that are no whole bytes");
		return;
	}
	for (i = 0; i < sizeof(iv); i++, unit >>= 8)
		iv[i] = tweak.length == sizeof(iv) ? tweak.data[i] : (uint8_t)unit;
	name_record(c->report, record);
	check_cipher(c->report, &v, EXACT);
}

/* ---- AEAD ---- */

void record_gcm(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	bool fail = record_fresh(record, "FAIL");
	struct aead_vector v = {
		.type = c->row->type,
		.key_type = c->row->key_type,
		.key = record_hex(record, "Key"),
		.iv = record_hex(record, "IV"),
		.aad = record_hex(record, "AAD"),
		.text = record_hex(record, "PT"),
		.cipher = record_hex(record, "CT"),
		.tag = record_hex(record, "Tag"),
		.decrypt_only = in(c->report->file, "Decrypt"),
	};

	if (!record_fresh(record, "Tag"))
		return;
	name_record(c->report, record);
	check_aead(c->report, &v, fail ? REFUSED : EXACT);
}

/* Lengths stand in the section or above it; a text of no bytes is written as one zero byte. */
void record_ccm(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	struct bytes sealed = record_hex(record, "CT");
	unsigned long tag = record_number(record, "Tlen"), length = record_number(record, "Plen");
	bool fail = record_fresh(record, "Result") && in(record_text(record, "Result"), "Fail");
	struct aead_vector v = {
		.type = c->row->type,
		.key_type = c->row->key_type,
		.key = record_hex(record, "Key"),
		.iv = record_hex(record, "Nonce"),
		.aad = record_hex(record, "Adata"),
		.text = record_hex(record, "Payload"),
		.cipher = { sealed.data, length },
		.tag = { sealed.data + length, tag },
		.decrypt_only = fail,
	};

	if (!record_fresh(record, "CT") || sealed.length != length + tag)
		return;
	if (!record_number(record, "Alen"))
		v.aad.length = 0;
	if (!length)
		v.text.length = 0;
	name_record(c->report, record);
	check_aead(c->report, &v, fail ? REFUSED : EXACT);
}

/* ---- ChaCha20 and Poly1305 ---- */

void record_chacha(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	const char *text = record_text(record, "INITIAL_BLOCK_COUNTER");
	unsigned long long block = text ? strtoull(text, NULL, 10) : 0;
	struct bytes nonce = record_hex(record, "NONCE");
	uint8_t counter[8];
	CK_CHACHA20_PARAMS params = { counter, 64, (CK_BYTE *)nonce.data, nonce.length * 8 };
	struct cipher_vector v = {
		.type = c->row->type,
		.key_type = c->row->key_type,
		.key = record_hex(record, "KEY"),
		.iv = { (const uint8_t *)&params, sizeof(params) },
		.text = record_hex(record, "PLAINTEXT"),
		.cipher = record_hex(record, "CIPHERTEXT"),
		.encrypt = true,
		.decrypt = true,
	};
	size_t i;

	if (!record_fresh(record, "CIPHERTEXT"))
		return;
	for (i = 0; i < sizeof(counter); i++, block >>= 8)
		counter[i] = (uint8_t)block;
	name_record(c->report, record);
	check_cipher(c->report, &v, EXACT);
}

/* Hex, or text in quotes */
static struct bytes quoted(struct record *record, const char *name)
{
	const char *text = record_text(record, name);
	size_t length = text ? strlen(text) : 0;

	if (length >= 2 && text[0] == '"' && text[length - 1] == '"')
		return (struct bytes){ (const uint8_t *)text + 1, length - 2 };
	return record_hex(record, name);
}

/* Two files with names of their own for the same things */
void record_chacha_poly1305(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	bool other = in(c->report->file, "openssl");
	bool fail = record_fresh(record, "Result");
	struct aead_vector v = {
		.type = c->row->type,
		.key_type = c->row->key_type,
		.key = record_hex(record, other ? "Key" : "KEY"),
		.iv = record_hex(record, other ? "IV" : "NONCE"),
		.aad = quoted(record, other ? "AAD" : "AD"),
		.text = quoted(record, other ? "Plaintext" : "IN"),
		.cipher = record_hex(record, other ? "Ciphertext" : "CT"),
		.tag = record_hex(record, other ? "Tag" : "TAG"),
	};

	if (!record_fresh(record, other ? "Tag" : "TAG"))
		return;
	name_record(c->report, record);
	check_aead(c->report, &v, fail ? REFUSED : EXACT);
}

void record_poly1305(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	CK_MECHANISM m = { c->row->type, NULL, 0 };

	if (!record_fresh(record, "TAG"))
		return;
	name_record(c->report, record);
	check_mac(c->report, &m, c->row->key_type, record_hex(record, "KEY"),
		  record_hex(record, "MSG"), record_hex(record, "TAG"), EXACT);
}

/* ---- digests and MACs ---- */

static struct bytes message(struct record *record)
{
	struct bytes text = record_hex(record, "Msg");

	if (!record_number(record, "Len"))
		text.length = 0;
	return text;
}

void record_digest(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;

	if (!record_fresh(record, "MD"))
		return;
	name_record(c->report, record);
	check_digest(c->report, c->row->type, message(record), record_hex(record, "MD"));
}

/* A thousand digests from the seed, of the last three answers or, for SHA-3, of the last one */
static CK_RV chain(CK_MECHANISM_TYPE type, struct bytes seed, unsigned int links,
		   struct buffer *out)
{
	static struct buffer text;
	CK_MECHANISM m = { type, NULL, 0 };
	CK_RV rv = CKR_OK;
	size_t size = seed.length;
	unsigned int i;

	for (i = 0; i < links; i++)
		memcpy(text.data + i * size, seed.data, size);
	text.length = links * size;
	for (i = 0; i < 1000 && rv == CKR_OK; i++) {
		rv = token_digest(&m, of(&text), out);
		if (rv == CKR_OK && out->length != size)
			rv = CKR_GENERAL_ERROR;
		if (rv != CKR_OK)
			break;
		memmove(text.data, text.data + size, (links - 1) * size);
		memcpy(text.data + (links - 1) * size, out->data, size);
	}
	return rv;
}

void record_monte(struct record *record, void *cavp)
{
	static struct buffer seed, out;
	const struct cavp *c = cavp;
	struct bytes md = record_hex(record, "MD"), given = record_hex(record, "Seed");
	CK_RV rv;

	if (record_fresh(record, "Seed") || !record_number(record, "COUNT")) {
		memcpy(seed.data, given.data, given.length);
		seed.length = given.length;
	}
	if (!record_fresh(record, "MD"))
		return;
	if (record_number(record, "COUNT") >= CHAINS) {
		report_left_out(c->report, "a chain of 1000 digests after the tenth");
		return;
	}
	name_record(c->report, record);
	rv = chain(c->row->type, of(&seed), in(c->report->file, "SHA3/") ? 1 : 3, &out);
	report_vector(c->report, rv == CKR_OK && same(of(&out), md), "chain", rv);
	memcpy(seed.data, md.data, md.length);
	seed.length = md.length;
}

void record_hmac(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	struct bytes md = record_hex(record, "MD");
	CK_MAC_GENERAL_PARAMS length = md.length;
	CK_MECHANISM m = { c->row->type, &length, sizeof(length) };

	if (!record_fresh(record, "MD"))
		return;
	name_record(c->report, record);
	check_mac(c->report, &m, c->row->key_type, record_hex(record, "Key"), message(record), md,
		  EXACT);
}

void record_cmac(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	CK_MECHANISM m = { c->row->type, NULL, 0 };

	if (!record_fresh(record, "OUTPUT"))
		return;
	name_record(c->report, record);
	check_mac(c->report, &m, c->row->key_type, record_hex(record, "KEY"),
		  record_hex(record, "MESSAGE"), record_hex(record, "OUTPUT"), EXACT);
}

/* ---- key wrapping ---- */

void record_kw(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	CK_MECHANISM m = { c->row->type, NULL, 0 };
	bool fail = record_fresh(record, "FAIL");

	if (!record_fresh(record, "C"))
		return;
	name_record(c->report, record);
	check_wrap(c->report, &m, record_hex(record, "K"), record_hex(record, "P"),
		   record_hex(record, "C"), fail ? REFUSED : EXACT);
}

void record_kwp_botan(struct record *record, void *cavp)
{
	const struct cavp *c = cavp;
	CK_MECHANISM m = { c->row->type, NULL, 0 };

	if (!record_fresh(record, "Output"))
		return;
	name_record(c->report, record);
	check_wrap(c->report, &m, record_hex(record, "Key"), record_hex(record, "Input"),
		   record_hex(record, "Output"), EXACT);
}
