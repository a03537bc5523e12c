// SPDX-License-Identifier: Apache-2.0
/*
 * Walks the table of return codes: each function in each situation that is one for it. A function
 * that the module answers with CKR_FUNCTION_NOT_SUPPORTED is named in the output.
 */
#include "../pkcs11/fixture.h"
#include "return_codes.h"

#define HUGE_LENGTH  (~(CK_ULONG)0)
#define NO_HANDLE    0x7ffffff1UL
#define NO_MECHANISM 0x7ffffff0UL

enum material {
	NOTHING,
	CIPHER,
	DIGEST,
	MAC,
	RECOVER,
	MESSAGE,
	OBJECT,
	TOKEN_OBJECT,
	COPY,
	GENERATE,
	PAIR,
	WRAP,
	WRAP_GCM,
	DERIVE,
	KEM
};

enum started {
	NONE = 100,
	FIND,
	ENCRYPT,
	DECRYPT,
	SIGN,
	VERIFY,
	SIGN_RECOVER,
	VERIFY_RECOVER,
	VERIFY_SIGNATURE,
	DIGEST_ENCRYPT,
	DECRYPT_DIGEST,
	SIGN_ENCRYPT,
	DECRYPT_VERIFY,
	MESSAGE_ENCRYPT,
	MESSAGE_DECRYPT,
	MESSAGE_SIGN,
	MESSAGE_VERIFY,
	ENCRYPT_BEGUN,
	DECRYPT_BEGUN,
	SIGN_BEGUN,
	VERIFY_BEGUN,
};

/* What the functions of the table are called with */
struct call {
	CK_SLOT_ID slot;
	CK_SESSION_HANDLE s;
	CK_MECHANISM *m, mechanism;
	CK_OBJECT_HANDLE k, k2;
	CK_BYTE *in, *out, *label;
	CK_ULONG n, *room, length;
	CK_ATTRIBUTE *a, *a2, attributes[8], private_attributes[2];
	CK_ULONG count;
	CK_OBJECT_HANDLE *h, *h2, new_handle[2];
	void *place, *p, *reserved;
	CK_ULONG pn;
	CK_GCM_MESSAGE_PARAMS message;
	CK_HKDF_PARAMS hkdf;
	CK_BYTE iv[16], tag[16], text[64], buffer[4096];
};

struct row {
	const char *name;
	CK_RV (*call)(struct call *c);
	int material, started;
	CK_RV before, session, nulls, huge, idle, twice, handle, mechanism, logout, ro;
};

#define INVOKE(name, arguments, ...)             \
	static CK_RV call_##name(struct call *c) \
	{                                        \
		(void)c;                         \
		return p->name arguments;        \
	}
FUNCTION_TABLE(INVOKE)

#define ROW(name, arguments, material, started, ...) \
	{ #name, call_##name, material, started, __VA_ARGS__ },
static const struct row rows[] = { FUNCTION_TABLE(ROW) };

/* ---- material ---- */

static CK_SESSION_HANDLE holder; /* has the session objects that the calls use */
static CK_OBJECT_HANDLE aes, secret, hkdf_base, data, token_data, wrapped_key;
static struct pair rsa, kem;

static CK_OBJECT_HANDLE object(CK_BBOOL token)
{
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_ATTRIBUTE attributes[] = { A(CKA_CLASS, class), A(CKA_TOKEN, token), YES(CKA_PRIVATE),
				      STRING(CKA_LABEL, "conformance") };
	CK_OBJECT_HANDLE handle = 0;

	OK(p->C_CreateObject(holder, attributes, COUNT(attributes), &handle));
	return handle;
}

static CK_OBJECT_HANDLE key_for_all(CK_KEY_TYPE type)
{
	static const CK_BYTE value[32] = "the value of a key of this test";
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_ATTRIBUTE attributes[] = {
		A(CKA_CLASS, class),
		A(CKA_KEY_TYPE, type),
		{ CKA_VALUE, (void *)value, sizeof(value) },
		NO(CKA_TOKEN),
		YES(CKA_PRIVATE),
		YES(CKA_ENCRYPT),
		YES(CKA_DECRYPT),
		YES(CKA_SIGN),
		YES(CKA_VERIFY),
		YES(CKA_WRAP),
		YES(CKA_UNWRAP),
		YES(CKA_DERIVE),
		YES(CKA_EXTRACTABLE),
	};
	CK_OBJECT_HANDLE handle = 0;

	OK(p->C_CreateObject(holder, attributes, COUNT(attributes), &handle));
	return handle;
}

/* As the firmware and libcrypto have them; without, the rows that need them are skipped. */
static struct pair kem_pair(void)
{
	CK_ULONG set = CKP_ML_KEM_512;
	CK_MECHANISM m = { CKM_ML_KEM_KEY_PAIR_GEN, NULL, 0 };
	CK_ATTRIBUTE public_key[] = { A(CKA_PARAMETER_SET, set), YES(CKA_ENCAPSULATE),
				      NO(CKA_TOKEN) };
	CK_ATTRIBUTE private_key[] = { YES(CKA_DECAPSULATE), NO(CKA_TOKEN) };
	struct pair pair = { 0, 0 };

	if (has(CKM_ML_KEM_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR))
		OK(p->C_GenerateKeyPair(holder, &m, public_key, COUNT(public_key), private_key,
					COUNT(private_key), &pair.public_key, &pair.private_key));
	return pair;
}

static struct pair recover_pair(void)
{
	CK_MECHANISM m = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
	CK_ULONG bits = 2048;
	CK_ATTRIBUTE public_key[] = { A(CKA_MODULUS_BITS, bits), YES(CKA_VERIFY_RECOVER),
				      NO(CKA_TOKEN) };
	CK_ATTRIBUTE private_key[] = { YES(CKA_SIGN_RECOVER), NO(CKA_TOKEN) };
	struct pair pair = { 0, 0 };

	OK(p->C_GenerateKeyPair(holder, &m, public_key, COUNT(public_key), private_key,
				COUNT(private_key), &pair.public_key, &pair.private_key));
	return pair;
}

static void make_material(void)
{
	holder = user_session();
	aes = key_for_all(CKK_AES);
	wrapped_key = key_for_all(CKK_AES);
	secret = key_for_all(CKK_GENERIC_SECRET);
	hkdf_base = key_for_all(CKK_HKDF);
	data = object(CK_FALSE);
	token_data = object(CK_TRUE);
	rsa = recover_pair();
	kem = kem_pair();
}

static void attribute(struct call *c, CK_ATTRIBUTE attribute)
{
	c->attributes[c->count++] = attribute;
}

static CK_OBJECT_CLASS data_class = CKO_DATA, secret_class = CKO_SECRET_KEY;
static CK_KEY_TYPE aes_type = CKK_AES, generic_type = CKK_GENERIC_SECRET;
static CK_ULONG length32 = 32;

static void new_secret(struct call *c, CK_KEY_TYPE *type)
{
	attribute(c, (CK_ATTRIBUTE)A(CKA_CLASS, secret_class));
	attribute(c, (CK_ATTRIBUTE){ CKA_KEY_TYPE, type, sizeof(*type) });
}

static void use_mechanism(struct call *c, CK_MECHANISM_TYPE type, void *parameter, CK_ULONG length)
{
	c->mechanism = (CK_MECHANISM){ type, parameter, length };
}

static void fill_keys(struct call *c, int material)
{
	switch (material) {
	case CIPHER:
		use_mechanism(c, CKM_AES_CBC_PAD, c->iv, sizeof(c->iv));
		c->k = aes;
		break;
	case DIGEST:
		use_mechanism(c, CKM_SHA256, NULL, 0);
		break;
	case MAC:
		use_mechanism(c, CKM_SHA256_HMAC, NULL, 0);
		c->k = secret;
		break;
	case RECOVER:
		use_mechanism(c, CKM_RSA_PKCS, NULL, 0);
		c->k = rsa.private_key;
		c->k2 = rsa.public_key;
		break;
	case MESSAGE:
		use_mechanism(c, CKM_AES_GCM, NULL, 0);
		c->message = (CK_GCM_MESSAGE_PARAMS){ c->iv, 12, 0, CKG_NO_GENERATE, c->tag, 128 };
		c->p = &c->message;
		c->pn = sizeof(c->message);
		c->k = aes;
		break;
	case WRAP:
		use_mechanism(c, CKM_AES_KEY_WRAP_KWP, NULL, 0);
		c->k = aes;
		c->k2 = wrapped_key;
		break;
	case WRAP_GCM:
		c->message = (CK_GCM_MESSAGE_PARAMS){ c->iv, 12, 0, CKG_NO_GENERATE, c->tag, 128 };
		use_mechanism(c, CKM_AES_GCM, &c->message, sizeof(c->message));
		c->k = aes;
		c->k2 = wrapped_key;
		break;
	case DERIVE:
		c->hkdf = (CK_HKDF_PARAMS){ .bExtract = CK_TRUE,
					    .bExpand = CK_TRUE,
					    .prfHashMechanism = CKM_SHA256,
					    .ulSaltType = CKF_HKDF_SALT_NULL };
		use_mechanism(c, CKM_HKDF_DERIVE, &c->hkdf, sizeof(c->hkdf));
		c->k = hkdf_base;
		break;
	case KEM:
		use_mechanism(c, CKM_ML_KEM, NULL, 0);
		c->k = kem.private_key;
		c->k2 = kem.public_key;
		break;
	case GENERATE:
		use_mechanism(c, CKM_AES_KEY_GEN, NULL, 0);
		break;
	case PAIR:
		use_mechanism(c, CKM_EC_KEY_PAIR_GEN, NULL, 0);
		break;
	case TOKEN_OBJECT:
		c->k = token_data;
		break;
	case COPY:
	case OBJECT:
		c->k = data;
		break;
	}
}

static void fill_template(struct call *c, int material, bool token)
{
	CK_ATTRIBUTE on_token = { CKA_TOKEN, token ? &yes : &no, sizeof(yes) };

	c->a = c->attributes;
	c->a2 = c->private_attributes;
	if (material == TOKEN_OBJECT) {
		attribute(c, (CK_ATTRIBUTE)STRING(CKA_LABEL, "another"));
		return;
	}
	attribute(c, on_token);
	if (material == OBJECT)
		attribute(c, (CK_ATTRIBUTE)A(CKA_CLASS, data_class));
	if (material == GENERATE)
		attribute(c, (CK_ATTRIBUTE)A(CKA_VALUE_LEN, length32));
	if (material == PAIR) {
		attribute(c, (CK_ATTRIBUTE){ CKA_EC_PARAMS, (void *)oid_p256, sizeof(oid_p256) });
		c->private_attributes[0] = on_token;
		return;
	}
	if (material == WRAP || material == WRAP_GCM)
		new_secret(c, &aes_type);
	if (material == DERIVE || material == KEM)
		new_secret(c, &generic_type);
	if (material == DERIVE)
		attribute(c, (CK_ATTRIBUTE)A(CKA_VALUE_LEN, length32));
	if (material != COPY)
		attribute(c, (CK_ATTRIBUTE)YES(CKA_PRIVATE));
}

/* A call as it should be, for a row, in a session */
static void fill(struct call *c, const struct row *row, CK_SESSION_HANDLE s, bool token)
{
	static CK_BYTE label[32];

	memset(c, 0, sizeof(*c));
	memset(label, ' ', sizeof(label));
	c->slot = slot;
	c->s = s;
	c->m = &c->mechanism;
	c->in = c->text;
	c->n = 16;
	c->out = c->buffer;
	c->length = sizeof(c->buffer);
	c->room = &c->length;
	c->label = label;
	c->h = c->new_handle;
	c->h2 = c->new_handle + 1;
	c->place = c->buffer;
	fill_keys(c, row->material);
	fill_template(c, row->material, token);
}

/* ---- what runs before the call ---- */

static CK_RV start_one(CK_SESSION_HANDLE s, int what)
{
	CK_BYTE iv[16] = { 0 }, tag[16], signature[32] = { 0 };
	CK_MECHANISM cbc = { CKM_AES_CBC_PAD, iv, sizeof(iv) }, sha = { CKM_SHA256, NULL, 0 };
	CK_MECHANISM hmac = { CKM_SHA256_HMAC, NULL, 0 }, pkcs = { CKM_RSA_PKCS, NULL, 0 };
	CK_MECHANISM gcm = { CKM_AES_GCM, NULL, 0 };
	CK_GCM_MESSAGE_PARAMS message = { iv, 12, 0, CKG_NO_GENERATE, tag, 128 };
	CK_RV rv;

	switch (what) {
	case FIND:
		return p->C_FindObjectsInit(s, NULL, 0);
	case ENCRYPT:
		return p->C_EncryptInit(s, &cbc, aes);
	case DECRYPT:
		return p->C_DecryptInit(s, &cbc, aes);
	case DIGEST:
		return p->C_DigestInit(s, &sha);
	case SIGN:
		return p->C_SignInit(s, &hmac, secret);
	case VERIFY:
		return p->C_VerifyInit(s, &hmac, secret);
	case SIGN_RECOVER:
		return p->C_SignRecoverInit(s, &pkcs, rsa.private_key);
	case VERIFY_RECOVER:
		return p->C_VerifyRecoverInit(s, &pkcs, rsa.public_key);
	case VERIFY_SIGNATURE:
		return p->C_VerifySignatureInit(s, &hmac, secret, signature, sizeof(signature));
	case MESSAGE_ENCRYPT:
		return p->C_MessageEncryptInit(s, &gcm, aes);
	case MESSAGE_DECRYPT:
		return p->C_MessageDecryptInit(s, &gcm, aes);
	case MESSAGE_SIGN:
		return p->C_MessageSignInit(s, &hmac, secret);
	case MESSAGE_VERIFY:
		return p->C_MessageVerifyInit(s, &hmac, secret);
	case ENCRYPT_BEGUN:
		rv = start_one(s, MESSAGE_ENCRYPT);
		return rv ? rv : p->C_EncryptMessageBegin(s, &message, sizeof(message), NULL, 0);
	case DECRYPT_BEGUN:
		rv = start_one(s, MESSAGE_DECRYPT);
		return rv ? rv : p->C_DecryptMessageBegin(s, &message, sizeof(message), NULL, 0);
	case SIGN_BEGUN:
		rv = start_one(s, MESSAGE_SIGN);
		return rv ? rv : p->C_SignMessageBegin(s, NULL, 0);
	case VERIFY_BEGUN:
		rv = start_one(s, MESSAGE_VERIFY);
		return rv ? rv : p->C_VerifyMessageBegin(s, NULL, 0);
	}
	return CKR_OK;
}

static CK_RV start(CK_SESSION_HANDLE s, int what)
{
	static const int two[][3] = {
		{ DIGEST_ENCRYPT, DIGEST, ENCRYPT },
		{ DECRYPT_DIGEST, DECRYPT, DIGEST },
		{ SIGN_ENCRYPT, SIGN, ENCRYPT },
		{ DECRYPT_VERIFY, DECRYPT, VERIFY },
	};
	size_t i;
	CK_RV rv;

	for (i = 0; i < COUNT(two); i++) {
		if (two[i][0] != what)
			continue;
		rv = start_one(s, two[i][1]);
		return rv ? rv : start_one(s, two[i][2]);
	}
	return start_one(s, what);
}

/* ---- situations ---- */

static unsigned int wrong, walked;

static void answer(const struct row *row, const char *situation, CK_RV have, CK_RV want)
{
	walked++;
	if (have == want)
		return;
	if (have == CKR_FUNCTION_NOT_SUPPORTED) {
		printf("# %s: not supported\n", row->name);
		return;
	}
	wrong++;
	fprintf(stderr, "%s, %s: 0x%lx, not 0x%lx\n", row->name, situation, have, want);
}

/* Is the row's mechanism one of the token's? */
static bool offered(const struct row *row)
{
	return row->material != KEM || kem.private_key;
}

/* Calls the row in a session of its own, after @change has made it wrong. */
static void try(const struct row *row, const char *situation, CK_RV want, bool begin,
		CK_FLAGS flags, bool token, void (*change)(struct call *c))
{
	struct call c;
	CK_SESSION_HANDLE s;
	CK_RV rv;

	if (want == NA || !offered(row))
		return;
	s = session(flags);
	fill(&c, row, s, token);
	rv = begin ? start(s, row->started) : CKR_OK;
	if (rv == CKR_FUNCTION_NOT_SUPPORTED) {
		printf("# %s: not supported\n", row->name);
	} else {
		if (rv != CKR_OK)
			fprintf(stderr, "%s: start: 0x%lx\n", row->name, rv);
		assert_int_equal(rv, CKR_OK);
		if (change)
			change(&c);
		answer(row, situation, row->call(&c), want);
	}
	p->C_CloseSession(s);
}

static void walk_end(void)
{
	assert_true(walked > 0);
	walked = 0;
	assert_int_equal(wrong, 0);
}

static void each(void (*use)(const struct row *row))
{
	size_t i;

	wrong = 0;
	for (i = 0; i < COUNT(rows); i++)
		use(&rows[i]);
	walk_end();
}

static void before(const struct row *row)
{
	struct call c;

	fill(&c, row, 1, false);
	answer(row, "before C_Initialize", row->call(&c), row->before);
}

static void before_initialize(void **state)
{
	(void)state;
	OK(p->C_Finalize(NULL));
	each(before);
	OK(p->C_Initialize(NULL));
	slot = first_slot();
	make_material();
}

static void bad_session(struct call *c)
{
	c->s = NO_HANDLE;
	c->slot = NO_HANDLE;
}

static void closed_session(struct call *c)
{
	OK(p->C_CloseSession(c->s));
	c->slot = NO_HANDLE;
}

static void session_of(const struct row *row)
{
	try(row, "no such session", row->session, false, RW, false, bad_session);
	try(row, "closed session", row->session, false, RW, false, closed_session);
}

static void sessions(void **state)
{
	(void)state;
	each(session_of);
}

static void no_pointers(struct call *c)
{
	c->in = NULL;
	c->room = NULL;
	c->a = NULL;
	c->h = NULL;
	c->place = NULL;
	c->label = NULL;
	c->reserved = c;
}

static void nulls_of(const struct row *row)
{
	try(row, "null", row->nulls, true, RW, false, no_pointers);
}

static void nulls(void **state)
{
	(void)state;
	each(nulls_of);
}

static void largest(struct call *c)
{
	c->n = HUGE_LENGTH;
	c->count = HUGE_LENGTH;
}

static void huge_of(const struct row *row)
{
	try(row, "huge", row->huge, true, RW, false, largest);
}

static void huge(void **state)
{
	(void)state;
	each(huge_of);
}

static void idle_of(const struct row *row)
{
	try(row, "not started", row->idle, false, RW, false, NULL);
}

static void not_started(void **state)
{
	(void)state;
	each(idle_of);
}

static void twice_of(const struct row *row)
{
	struct call c, first;
	CK_SESSION_HANDLE s;
	CK_RV rv;

	if (row->twice != ACT || !offered(row))
		return;
	s = session(RW);
	fill(&first, row, s, false);
	fill(&c, row, s, false);
	rv = row->call(&first);
	if (rv == CKR_OK)
		rv = row->call(&c);
	answer(row, "twice", rv, row->twice);
	p->C_CloseSession(s);
}

static void started_twice(void **state)
{
	(void)state;
	each(twice_of);
}

static void bad_handle(struct call *c)
{
	c->k = NO_HANDLE;
	c->k2 = c->k2 && c->mechanism.mechanism != CKM_ML_KEM &&
				c->mechanism.mechanism != CKM_RSA_PKCS
			? c->k2
			: NO_HANDLE;
}

static void handle_of(const struct row *row)
{
	try(row, "no such handle", row->handle, true, RW, false, bad_handle);
}

static void handles(void **state)
{
	(void)state;
	each(handle_of);
}

static void bad_mechanism(struct call *c)
{
	c->mechanism.mechanism = NO_MECHANISM;
}

static void mechanism_of(const struct row *row)
{
	try(row, "no such mechanism", row->mechanism, true, RW, false, bad_mechanism);
}

static void mechanisms(void **state)
{
	(void)state;
	each(mechanism_of);
}

static void read_only_of(const struct row *row)
{
	try(row, "read-only", row->ro, true, RO, true, NULL);
}

static void read_only(void **state)
{
	(void)state;
	each(read_only_of);
}

static void logout_of(const struct row *row)
{
	try(row, "logged out", row->logout, false, RW, false, NULL);
}

/* The handles of private objects end with the login, and the session objects with it. */
static void logged_out(void **state)
{
	(void)state;
	OK(p->C_Logout(holder));
	each(logout_of);
	OK(p->C_CloseSession(holder));
	make_material();
}

/* Each function of the standard's list is in the table, but for those that need no library. */
static void the_table_is_complete(void **state)
{
	(void)state;
	assert_int_equal(COUNT(rows), 68 + 24 + 12 - 4);
}

static int setup(void **state)
{
	setup_token(state);
	make_material();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_complete),
		cmocka_unit_test(before_initialize),
		cmocka_unit_test(sessions),
		cmocka_unit_test(nulls),
		cmocka_unit_test(huge),
		cmocka_unit_test(not_started),
		cmocka_unit_test(started_twice),
		cmocka_unit_test(handles),
		cmocka_unit_test(mechanisms),
		cmocka_unit_test(read_only),
		cmocka_unit_test(logged_out),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
