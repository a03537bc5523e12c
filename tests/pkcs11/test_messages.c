/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Message-based functions: AEAD with the token's nonces and the caller's, in one call and in parts,
 * signatures and MACs of many messages, and what each function answers at the wrong time.
 */
#include "fixture.h"

static CK_SESSION_HANDLE s;
static CK_OBJECT_HANDLE key;

static int setup(void **state)
{
	(void)state;
	s = user_session();
	key = aes_key(s, 32);
	return 0;
}

/* ---- GCM ---- */

struct gcm {
	CK_BYTE iv[12];
	CK_BYTE tag[16];
	CK_GCM_MESSAGE_PARAMS params;
};

static void gcm_init(struct gcm *gcm, CK_ULONG generator, CK_ULONG fixed_bits)
{
	memset(gcm, 0, sizeof(*gcm));
	gcm->params = (CK_GCM_MESSAGE_PARAMS){ gcm->iv,	  sizeof(gcm->iv), fixed_bits,
					       generator, gcm->tag,	   8 * sizeof(gcm->tag) };
}

#define P(gcm) &(gcm)->params, sizeof((gcm)->params)

static void init(CK_C_MessageEncryptInit fn, CK_MECHANISM_TYPE type)
{
	CK_MECHANISM mechanism = { type, NULL, 0 };

	OK(fn(s, &mechanism, key));
}

static CK_BYTE aad[] = "header", text[] = "attack at dawn, with everything we have";

/* One message out and in again, with whatever nonce @gcm asks for */
static void round_trip(struct gcm *gcm)
{
	CK_BYTE out[sizeof(text)], back[sizeof(text)];
	CK_ULONG length = sizeof(out), back_length = sizeof(back);

	OK(p->C_EncryptMessage(s, P(gcm), aad, sizeof(aad), text, sizeof(text), out, &length));
	assert_int_equal(length, sizeof(text));
	assert_memory_not_equal(out, text, sizeof(text));
	OK(p->C_DecryptMessage(s, P(gcm), aad, sizeof(aad), out, length, back, &back_length));
	assert_int_equal(back_length, sizeof(text));
	assert_memory_equal(back, text, sizeof(text));
	/* Each byte counts: text, tag, nonce and associated data. */
	gcm->tag[3] ^= 1;
	RV(p->C_DecryptMessage(s, P(gcm), aad, sizeof(aad), out, length, back, &back_length),
	   CKR_AEAD_DECRYPT_FAILED);
	gcm->tag[3] ^= 1;
	out[0] ^= 1;
	RV(p->C_DecryptMessage(s, P(gcm), aad, sizeof(aad), out, length, back, &back_length),
	   CKR_AEAD_DECRYPT_FAILED);
	out[0] ^= 1;
	RV(p->C_DecryptMessage(s, P(gcm), aad, sizeof(aad) - 1, out, length, back, &back_length),
	   CKR_AEAD_DECRYPT_FAILED);
	OK(p->C_DecryptMessage(s, P(gcm), aad, sizeof(aad), out, length, back, &back_length));
}

static void test_gcm_generators(void **state)
{
	static const CK_ULONG generators[] = { CKG_NO_GENERATE, CKG_GENERATE, CKG_GENERATE_RANDOM,
					       CKG_GENERATE_COUNTER };
	CK_BYTE seen[COUNT(generators)][4][12];
	struct gcm gcm;
	size_t i, j;

	(void)state;
	init(p->C_MessageEncryptInit, CKM_AES_GCM);
	init(p->C_MessageDecryptInit, CKM_AES_GCM);
	for (i = 0; i < COUNT(generators); i++) {
		for (j = 0; j < 4; j++) {
			gcm_init(&gcm, generators[i], 0);
			memset(gcm.iv, (int)j, sizeof(gcm.iv));
			round_trip(&gcm);
			memcpy(seen[i][j], gcm.iv, sizeof(gcm.iv));
		}
	}
	for (j = 0; j < 4; j++) {
		CK_BYTE zero[11] = { 0 };

		assert_int_equal(seen[0][j][5], j);
		/* The counter begins at zero and is the rightmost. */
		assert_memory_equal(seen[3][j], zero, sizeof(zero));
		assert_int_equal(seen[3][j][11], j);
		for (i = 0; i < j; i++) {
			assert_memory_not_equal(seen[1][i], seen[1][j], 12);
			assert_memory_not_equal(seen[2][i], seen[2][j], 12);
		}
	}
	OK(p->C_MessageEncryptFinal(s));
	OK(p->C_MessageDecryptFinal(s));
	RV(p->C_MessageEncryptFinal(s), CKR_OPERATION_NOT_INITIALIZED);
	RV(p->C_MessageDecryptFinal(s), CKR_OPERATION_NOT_INITIALIZED);
}

/* The caller's bits stay, to the bit; XOR keeps what it is added to */
static void test_gcm_fixed_bits(void **state)
{
	struct gcm gcm;
	CK_BYTE base[12];
	int i;

	(void)state;
	init(p->C_MessageEncryptInit, CKM_AES_GCM);
	init(p->C_MessageDecryptInit, CKM_AES_GCM);
	for (i = 0; i < 3; i++) {
		gcm_init(&gcm, CKG_GENERATE, 28);
		memset(gcm.iv, 0xa5, 12);
		round_trip(&gcm);
		assert_memory_equal(gcm.iv, "\xa5\xa5\xa5", 3);
		assert_int_equal(gcm.iv[3] & 0xf0, 0xa0);
	}
	/* One key has one way of counting. */
	gcm_init(&gcm, CKG_GENERATE_COUNTER, 32);
	RV(p->C_EncryptMessageBegin(s, P(&gcm), NULL, 0), CKR_MECHANISM_PARAM_INVALID);
	OK(p->C_MessageEncryptFinal(s));
	OK(p->C_MessageDecryptFinal(s));
	key = aes_key(s, 16);
	init(p->C_MessageEncryptInit, CKM_AES_GCM);
	init(p->C_MessageDecryptInit, CKM_AES_GCM);
	for (i = 0; i < 3; i++) {
		gcm_init(&gcm, CKG_GENERATE_COUNTER_XOR, 32);
		memset(gcm.iv, 0x77, 12);
		memcpy(base, gcm.iv, 12);
		round_trip(&gcm);
		base[11] ^= i;
		assert_memory_equal(gcm.iv, base, 12);
	}
	/* Nothing is left that could change, too little to be random, and no such generator */
	gcm_init(&gcm, CKG_GENERATE, 96);
	RV(p->C_EncryptMessageBegin(s, P(&gcm), NULL, 0), CKR_MECHANISM_PARAM_INVALID);
	gcm_init(&gcm, CKG_GENERATE_RANDOM, 32);
	RV(p->C_EncryptMessageBegin(s, P(&gcm), NULL, 0), CKR_MECHANISM_PARAM_INVALID);
	gcm_init(&gcm, 99, 0);
	RV(p->C_EncryptMessageBegin(s, P(&gcm), NULL, 0), CKR_MECHANISM_PARAM_INVALID);
}

/* A counter that has run out, and one that goes on in another session and under a copy of the key */
static void test_counter_belongs_to_key(void **state)
{
	CK_SESSION_HANDLE other = session(RW);
	CK_MECHANISM mechanism = { CKM_AES_GCM, NULL, 0 };
	CK_ATTRIBUTE nothing[] = { NO(CKA_TOKEN) };
	CK_OBJECT_HANDLE copy;
	struct gcm gcm;
	CK_BYTE out[1];
	CK_ULONG length;
	int i;

	(void)state;
	OK(p->C_CopyObject(s, key, nothing, COUNT(nothing), &copy));
	init(p->C_MessageEncryptInit, CKM_AES_GCM);
	OK(p->C_MessageEncryptInit(other, &mechanism, copy));
	for (i = 0; i < 4; i++) {
		length = sizeof(out);
		gcm_init(&gcm, CKG_GENERATE_COUNTER, 94);
		OK(p->C_EncryptMessage(i & 1 ? s : other, P(&gcm), NULL, 0, text, 1, out, &length));
		assert_int_equal(gcm.iv[11], i);
	}
	gcm_init(&gcm, CKG_GENERATE_COUNTER, 94);
	RV(p->C_EncryptMessage(s, P(&gcm), NULL, 0, text, 1, out, &length),
	   CKR_MECHANISM_PARAM_INVALID);
}

/* What is counted from zero would be counted again after a restart. */
static void test_token_key_does_not_count(void **state)
{
	CK_MECHANISM mechanism = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_ULONG bytes = 32;
	CK_ATTRIBUTE attributes[] = { A(CKA_VALUE_LEN, bytes), YES(CKA_ENCRYPT), YES(CKA_TOKEN) };
	struct gcm gcm;

	(void)state;
	OK(p->C_GenerateKey(s, &mechanism, attributes, COUNT(attributes), &key));
	init(p->C_MessageEncryptInit, CKM_AES_GCM);
	gcm_init(&gcm, CKG_GENERATE_COUNTER, 0);
	RV(p->C_EncryptMessageBegin(s, P(&gcm), NULL, 0), CKR_MECHANISM_PARAM_INVALID);
	gcm_init(&gcm, CKG_GENERATE_COUNTER_XOR, 0);
	RV(p->C_EncryptMessageBegin(s, P(&gcm), NULL, 0), CKR_MECHANISM_PARAM_INVALID);
	gcm_init(&gcm, CKG_GENERATE, 32);
	OK(p->C_EncryptMessageBegin(s, P(&gcm), NULL, 0));
	OK(p->C_MessageEncryptInit(s, NULL, 0));
	OK(p->C_DestroyObject(s, key));
}

/* In parts, which together are what one call gives */
static void test_gcm_parts(void **state)
{
	CK_BYTE whole[sizeof(text)], out[sizeof(text)], back[sizeof(text)], tag[16];
	CK_ULONG length = sizeof(whole), part, rest;
	struct gcm gcm;

	(void)state;
	init(p->C_MessageEncryptInit, CKM_AES_GCM);
	init(p->C_MessageDecryptInit, CKM_AES_GCM);
	gcm_init(&gcm, CKG_NO_GENERATE, 0);
	OK(p->C_EncryptMessage(s, P(&gcm), aad, sizeof(aad), text, sizeof(text), whole, &length));
	memcpy(tag, gcm.tag, sizeof(tag));
	memset(gcm.tag, 0, sizeof(gcm.tag));

	OK(p->C_EncryptMessageBegin(s, P(&gcm), aad, sizeof(aad)));
	RV(p->C_EncryptMessageBegin(s, P(&gcm), aad, sizeof(aad)), CKR_OPERATION_ACTIVE);
	RV(p->C_EncryptMessage(s, P(&gcm), aad, sizeof(aad), text, 1, out, &length),
	   CKR_OPERATION_ACTIVE);
	RV(p->C_MessageEncryptFinal(s), CKR_OPERATION_ACTIVE);
	part = 4;
	RV(p->C_EncryptMessageNext(s, P(&gcm), text, 5, out, &part, 0), CKR_BUFFER_TOO_SMALL);
	assert_true(part >= 5);
	OK(p->C_EncryptMessageNext(s, P(&gcm), text, 5, out, &part, 0));
	assert_int_equal(part, 5);
	rest = sizeof(text) - 6;
	RV(p->C_EncryptMessageNext(s, P(&gcm), text + 5, sizeof(text) - 5, out + 5, &rest,
				   CKF_END_OF_MESSAGE),
	   CKR_BUFFER_TOO_SMALL);
	assert_int_equal(rest, sizeof(text) - 5);
	OK(p->C_EncryptMessageNext(s, P(&gcm), text + 5, sizeof(text) - 5, NULL, &rest,
				   CKF_END_OF_MESSAGE));
	OK(p->C_EncryptMessageNext(s, P(&gcm), text + 5, sizeof(text) - 5, out + 5, &rest,
				   CKF_END_OF_MESSAGE));
	assert_memory_equal(out, whole, sizeof(whole));
	assert_memory_equal(gcm.tag, tag, sizeof(tag));
	RV(p->C_EncryptMessageNext(s, P(&gcm), text, 1, out, &part, 0),
	   CKR_OPERATION_NOT_INITIALIZED);

	/* Nothing of the text before the last part has come with its tag */
	OK(p->C_DecryptMessageBegin(s, P(&gcm), aad, sizeof(aad)));
	part = sizeof(back);
	OK(p->C_DecryptMessageNext(s, P(&gcm), whole, 20, back, &part, 0));
	assert_int_equal(part, 0);
	rest = sizeof(text) - 1;
	RV(p->C_DecryptMessageNext(s, P(&gcm), whole + 20, sizeof(whole) - 20, back, &rest,
				   CKF_END_OF_MESSAGE),
	   CKR_BUFFER_TOO_SMALL);
	assert_int_equal(rest, sizeof(text));
	OK(p->C_DecryptMessageNext(s, P(&gcm), whole + 20, sizeof(whole) - 20, back, &rest,
				   CKF_END_OF_MESSAGE));
	assert_int_equal(rest, sizeof(text));
	assert_memory_equal(back, text, sizeof(text));

	OK(p->C_DecryptMessageBegin(s, P(&gcm), aad, sizeof(aad)));
	gcm.tag[0] ^= 1;
	memset(back, 0, sizeof(back));
	rest = sizeof(back);
	RV(p->C_DecryptMessageNext(s, P(&gcm), whole, sizeof(whole), back, &rest,
				   CKF_END_OF_MESSAGE),
	   CKR_AEAD_DECRYPT_FAILED);
	for (part = 0; part < sizeof(back); part++)
		assert_int_equal(back[part], 0);
	/* The message is over, the process is not. */
	RV(p->C_DecryptMessageNext(s, P(&gcm), whole, 1, back, &rest, 0),
	   CKR_OPERATION_NOT_INITIALIZED);
	OK(p->C_MessageDecryptFinal(s));
}

/* Messages longer than a command, over the size of one answer */
static void test_long_message(void **state)
{
	CK_ULONG size = 300000, length = size, back_length = size, at, part;
	CK_BYTE *data = calloc(1, size), *out = malloc(size), *back = malloc(size);
	struct gcm gcm;

	(void)state;
	assert_true(data && out && back);
	for (at = 0; at < size; at++)
		data[at] = (CK_BYTE)(at * 7 + at / 256);
	init(p->C_MessageEncryptInit, CKM_AES_GCM);
	init(p->C_MessageDecryptInit, CKM_AES_GCM);
	gcm_init(&gcm, CKG_GENERATE, 0);
	OK(p->C_EncryptMessage(s, P(&gcm), aad, sizeof(aad), data, size, NULL, &length));
	assert_int_equal(length, size);
	length = size - 1;
	RV(p->C_EncryptMessage(s, P(&gcm), aad, sizeof(aad), data, size, out, &length),
	   CKR_BUFFER_TOO_SMALL);
	OK(p->C_EncryptMessage(s, P(&gcm), aad, sizeof(aad), data, size, out, &length));
	assert_int_equal(length, size);
	OK(p->C_DecryptMessage(s, P(&gcm), aad, sizeof(aad), out, size, back, &back_length));
	assert_int_equal(back_length, size);
	assert_memory_equal(back, data, size);
	/* The same in parts of the caller's */
	memset(back, 0, size);
	OK(p->C_DecryptMessageBegin(s, P(&gcm), aad, sizeof(aad)));
	for (at = 0; at + 100000 < size; at += 100000) {
		part = size;
		OK(p->C_DecryptMessageNext(s, P(&gcm), out + at, 100000, back, &part, 0));
		assert_int_equal(part, 0);
	}
	part = size;
	OK(p->C_DecryptMessageNext(s, P(&gcm), out + at, size - at, back, &part,
				   CKF_END_OF_MESSAGE));
	assert_int_equal(part, size);
	assert_memory_equal(back, data, size);
	free(data);
	free(out);
	free(back);
}

static void test_ccm(void **state)
{
	CK_BYTE nonce[13] = { 0 }, mac[8], out[sizeof(text)], back[sizeof(text)];
	CK_CCM_MESSAGE_PARAMS ccm = { sizeof(text), nonce, sizeof(nonce), 0,
				      CKG_GENERATE, mac,   sizeof(mac) };
	CK_ULONG length = sizeof(out), part = sizeof(out);

	(void)state;
	init(p->C_MessageEncryptInit, CKM_AES_CCM);
	init(p->C_MessageDecryptInit, CKM_AES_CCM);
	OK(p->C_EncryptMessage(s, &ccm, sizeof(ccm), aad, sizeof(aad), text, sizeof(text), out,
			       &length));
	assert_int_equal(length, sizeof(text));
	OK(p->C_DecryptMessage(s, &ccm, sizeof(ccm), aad, sizeof(aad), out, length, back, &part));
	assert_memory_equal(back, text, sizeof(text));
	mac[7] ^= 0x80;
	RV(p->C_DecryptMessage(s, &ccm, sizeof(ccm), aad, sizeof(aad), out, length, back, &part),
	   CKR_AEAD_DECRYPT_FAILED);
	/* In parts all of it comes at the end: CCM begins with the length. */
	OK(p->C_EncryptMessageBegin(s, &ccm, sizeof(ccm), aad, sizeof(aad)));
	part = sizeof(out);
	OK(p->C_EncryptMessageNext(s, &ccm, sizeof(ccm), text, 10, out, &part, 0));
	assert_int_equal(part, 0);
	part = sizeof(out);
	OK(p->C_EncryptMessageNext(s, &ccm, sizeof(ccm), text + 10, sizeof(text) - 10, out, &part,
				   CKF_END_OF_MESSAGE));
	assert_int_equal(part, sizeof(text));
	part = sizeof(back);
	OK(p->C_DecryptMessage(s, &ccm, sizeof(ccm), aad, sizeof(aad), out, sizeof(out), back,
			       &part));
	assert_memory_equal(back, text, sizeof(text));
	/* Another length than was said */
	RV(p->C_EncryptMessage(s, &ccm, sizeof(ccm), aad, sizeof(aad), text, 5, out, &length),
	   CKR_DATA_LEN_RANGE);
	/* The structure of another mechanism */
	struct gcm gcm;
	gcm_init(&gcm, CKG_GENERATE, 0);
	RV(p->C_EncryptMessageBegin(s, P(&gcm), NULL, 0), CKR_MECHANISM_PARAM_INVALID);
}

/* CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS, as the standard names its members */
struct poly_message {
	CK_BYTE *pNonce;
	CK_ULONG ulNonceLen;
	CK_BYTE *pTag;
};

static void test_chacha20_poly1305(void **state)
{
	/* RFC 8439, 2.8.2 */
	static const CK_BYTE value[32] = {
		0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a,
		0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x90, 0x91, 0x92, 0x93, 0x94, 0x95,
		0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f,
	};
	static const CK_BYTE expected_tag[16] = { 0x1a, 0xe1, 0x0b, 0x59, 0x4f, 0x09, 0xe2, 0x6a,
						  0x7e, 0x90, 0x2e, 0xcb, 0xd0, 0x60, 0x06, 0x91 };
	static const char plain[] =
		"Ladies and Gentlemen of the class of '99: If I could offer you "
		"only one tip for the future, sunscreen would be it.";
	CK_BYTE nonce[12] = { 7, 0, 0, 0, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47 };
	CK_BYTE wide[24] = { 0 };
	CK_BYTE head[12] = {
		0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7
	};
	CK_BYTE tag[16], out[sizeof(plain)], back[sizeof(plain)];
	struct poly_message poly = { nonce, 96, tag };
	struct {
		CK_BYTE *pNonce;
		CK_ULONG ulNonceLen;
		CK_BYTE *pAAD;
		CK_ULONG ulAADLen;
	} single = { nonce, 96, head, sizeof(head) };
	CK_MECHANISM mechanism = { CKM_CHACHA20_POLY1305, &single, sizeof(single) };
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_CHACHA20;
	CK_ATTRIBUTE attributes[] = {
		A(CKA_CLASS, class), A(CKA_KEY_TYPE, type), { CKA_VALUE, (void *)value, 32 },
		NO(CKA_TOKEN),	     YES(CKA_ENCRYPT),	    YES(CKA_DECRYPT),
	};
	CK_ULONG size = sizeof(plain) - 1, length = size, sealed_length;
	CK_BYTE sealed[sizeof(plain) + 16];

	(void)state;
	NEED(CKM_CHACHA20_POLY1305, CKF_MESSAGE_ENCRYPT | CKF_MULTI_MESSAGE);
	OK(p->C_CreateObject(s, attributes, COUNT(attributes), &key));
	init(p->C_MessageEncryptInit, CKM_CHACHA20_POLY1305);
	init(p->C_MessageDecryptInit, CKM_CHACHA20_POLY1305);
	OK(p->C_EncryptMessage(s, &poly, sizeof(poly), head, sizeof(head), (CK_BYTE *)plain, size,
			       out, &length));
	assert_memory_equal(out, "\xd3\x1a\x8d\x34\x64\x8e\x60\xdb", 8);
	assert_memory_equal(tag, expected_tag, sizeof(tag));
	OK(p->C_DecryptMessage(s, &poly, sizeof(poly), head, sizeof(head), out, length, back,
			       &length));
	assert_memory_equal(back, plain, size);
	tag[0] ^= 1;
	RV(p->C_DecryptMessage(s, &poly, sizeof(poly), head, sizeof(head), out, length, back,
			       &length),
	   CKR_AEAD_DECRYPT_FAILED);
	/* The same by C_Encrypt, the tag behind the text */
	OK(p->C_EncryptInit(s, &mechanism, key));
	sealed_length = sizeof(sealed);
	OK(p->C_Encrypt(s, (CK_BYTE *)plain, size, sealed, &sealed_length));
	assert_int_equal(sealed_length, size + 16);
	assert_memory_equal(sealed, out, size);
	assert_memory_equal(sealed + size, expected_tag, 16);
	OK(p->C_DecryptInit(s, &mechanism, key));
	length = sizeof(back);
	OK(p->C_Decrypt(s, sealed, sealed_length, back, &length));
	assert_int_equal(length, size);
	assert_memory_equal(back, plain, size);
	/* Only the nonce of RFC 8439 */
	single.ulNonceLen = 64;
	RV(p->C_EncryptInit(s, &mechanism, key), CKR_MECHANISM_PARAM_INVALID);
	poly.pNonce = wide;
	poly.ulNonceLen = 192;
	RV(p->C_EncryptMessageBegin(s, &poly, sizeof(poly), NULL, 0), CKR_MECHANISM_PARAM_INVALID);
	poly.ulNonceLen = 95;
	RV(p->C_EncryptMessageBegin(s, &poly, sizeof(poly), NULL, 0), CKR_MECHANISM_PARAM_INVALID);
}

static void test_bad_arguments(void **state)
{
	CK_MECHANISM mechanism = { CKM_AES_GCM, NULL, 0 }, cbc = { CKM_AES_CBC, NULL, 0 };
	CK_BYTE out[64];
	CK_ULONG length = sizeof(out), huge = (CK_ULONG)-1;
	struct gcm gcm;

	(void)state;
	gcm_init(&gcm, CKG_GENERATE, 0);
	RV(p->C_EncryptMessage(s, P(&gcm), NULL, 0, text, 1, out, &length),
	   CKR_OPERATION_NOT_INITIALIZED);
	RV(p->C_DecryptMessage(s, P(&gcm), NULL, 0, text, 1, out, &length),
	   CKR_OPERATION_NOT_INITIALIZED);
	RV(p->C_EncryptMessageBegin(s, P(&gcm), NULL, 0), CKR_OPERATION_NOT_INITIALIZED);
	RV(p->C_DecryptMessageBegin(s, P(&gcm), NULL, 0), CKR_OPERATION_NOT_INITIALIZED);
	RV(p->C_EncryptMessageNext(s, P(&gcm), text, 1, out, &length, 0),
	   CKR_OPERATION_NOT_INITIALIZED);
	RV(p->C_MessageEncryptInit(s, &cbc, key), CKR_MECHANISM_INVALID);
	RV(p->C_MessageEncryptInit(s, &mechanism, 0), CKR_KEY_HANDLE_INVALID);
	RV(p->C_MessageEncryptInit(0, &mechanism, key), CKR_SESSION_HANDLE_INVALID);
	mechanism.pParameter = &gcm;
	mechanism.ulParameterLen = 3;
	RV(p->C_MessageEncryptInit(s, &mechanism, key), CKR_MECHANISM_PARAM_INVALID);
	init(p->C_MessageEncryptInit, CKM_AES_GCM);
	mechanism.ulParameterLen = 0;
	mechanism.pParameter = NULL;
	RV(p->C_MessageEncryptInit(s, &mechanism, key), CKR_OPERATION_ACTIVE);
	RV(p->C_EncryptMessage(s, NULL, 0, NULL, 0, text, 1, out, &length),
	   CKR_MECHANISM_PARAM_INVALID);
	RV(p->C_EncryptMessage(s, &gcm, huge, NULL, 0, text, 1, out, &length),
	   CKR_MECHANISM_PARAM_INVALID);
	RV(p->C_EncryptMessage(s, P(&gcm), NULL, 1, text, 1, out, &length), CKR_ARGUMENTS_BAD);
	RV(p->C_EncryptMessage(s, P(&gcm), NULL, 0, NULL, 1, out, &length), CKR_ARGUMENTS_BAD);
	RV(p->C_EncryptMessage(s, P(&gcm), NULL, 0, text, 1, out, NULL), CKR_ARGUMENTS_BAD);
	gcm.params.ulIvLen = huge;
	RV(p->C_EncryptMessageBegin(s, P(&gcm), NULL, 0), CKR_MECHANISM_PARAM_INVALID);
	gcm.params.ulIvLen = 12;
	gcm.params.pIv = NULL;
	RV(p->C_EncryptMessageBegin(s, P(&gcm), NULL, 0), CKR_MECHANISM_PARAM_INVALID);
	gcm_init(&gcm, CKG_GENERATE, huge);
	RV(p->C_EncryptMessageBegin(s, P(&gcm), NULL, 0), CKR_MECHANISM_PARAM_INVALID);
	gcm_init(&gcm, CKG_GENERATE, 0);
	gcm.params.ulTagBits = 127;
	RV(p->C_EncryptMessageBegin(s, P(&gcm), NULL, 0), CKR_MECHANISM_PARAM_INVALID);
	gcm.params.ulTagBits = 8;
	RV(p->C_EncryptMessageBegin(s, P(&gcm), NULL, 0), CKR_MECHANISM_PARAM_INVALID);
	/* After all these failures the process still works, and it can be cancelled. */
	gcm_init(&gcm, CKG_GENERATE, 0);
	OK(p->C_EncryptMessage(s, P(&gcm), NULL, 0, text, 1, out, &length));
	OK(p->C_EncryptMessageBegin(s, P(&gcm), NULL, 0));
	OK(p->C_SessionCancel(s, CKF_MESSAGE_ENCRYPT));
	RV(p->C_MessageEncryptFinal(s), CKR_OPERATION_NOT_INITIALIZED);
	RV(p->C_EncryptMessageNext(s, P(&gcm), text, 1, out, &length, 0),
	   CKR_OPERATION_NOT_INITIALIZED);
}

/* With the login goes a process whose key is private. */
static void test_logout_ends_process(void **state)
{
	CK_MECHANISM generate = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_ULONG bytes = 16;
	CK_ATTRIBUTE attributes[] = { A(CKA_VALUE_LEN, bytes), YES(CKA_ENCRYPT), YES(CKA_PRIVATE) };
	struct gcm gcm;

	(void)state;
	OK(p->C_GenerateKey(s, &generate, attributes, COUNT(attributes), &key));
	init(p->C_MessageEncryptInit, CKM_AES_GCM);
	gcm_init(&gcm, CKG_GENERATE, 0);
	OK(p->C_EncryptMessageBegin(s, P(&gcm), NULL, 0));
	OK(p->C_Logout(s));
	RV(p->C_EncryptMessageBegin(s, P(&gcm), NULL, 0), CKR_OPERATION_NOT_INITIALIZED);
	RV(p->C_MessageEncryptFinal(s), CKR_OPERATION_NOT_INITIALIZED);
}

/* ---- signatures and MACs ---- */

static void sign_messages(CK_MECHANISM *mechanism, CK_OBJECT_HANDLE signer,
			  CK_OBJECT_HANDLE verifier, void *parameter, CK_ULONG parameter_length)
{
	CK_BYTE signature[512], other[512];
	CK_ULONG length = sizeof(signature), other_length, i;

	OK(p->C_MessageSignInit(s, mechanism, signer));
	RV(p->C_MessageSignInit(s, mechanism, signer), CKR_OPERATION_ACTIVE);
	OK(p->C_MessageVerifyInit(s, mechanism, verifier));
	OK(p->C_SignMessage(s, parameter, parameter_length, text, sizeof(text), NULL, &length));
	assert_true(length > 1 && length <= sizeof(signature));
	length = 1;
	RV(p->C_SignMessage(s, parameter, parameter_length, text, sizeof(text), signature, &length),
	   CKR_BUFFER_TOO_SMALL);
	for (i = 0; i < 3; i++) {
		OK(p->C_SignMessage(s, parameter, parameter_length, text + i, 20, signature,
				    &length));
		OK(p->C_VerifyMessage(s, parameter, parameter_length, text + i, 20, signature,
				      length));
		RV(p->C_VerifyMessage(s, parameter, parameter_length, text + i, 19, signature,
				      length),
		   CKR_SIGNATURE_INVALID);
		RV(p->C_VerifyMessage(s, parameter, parameter_length, text + i, 20, signature,
				      length - 1),
		   CKR_SIGNATURE_LEN_RANGE);
	}
	/* In parts */
	OK(p->C_SignMessageBegin(s, parameter, parameter_length));
	RV(p->C_SignMessageBegin(s, parameter, parameter_length), CKR_OPERATION_ACTIVE);
	RV(p->C_SignMessage(s, parameter, parameter_length, text, 1, signature, &length),
	   CKR_OPERATION_ACTIVE);
	RV(p->C_MessageSignFinal(s), CKR_OPERATION_ACTIVE);
	OK(p->C_SignMessageNext(s, parameter, parameter_length, text, 9, NULL, NULL));
	other_length = 1;
	RV(p->C_SignMessageNext(s, parameter, parameter_length, text + 9, 11, other, &other_length),
	   CKR_BUFFER_TOO_SMALL);
	other_length = sizeof(other);
	OK(p->C_SignMessageNext(s, parameter, parameter_length, text + 9, 11, other,
				&other_length));
	OK(p->C_VerifyMessageBegin(s, parameter, parameter_length));
	OK(p->C_VerifyMessageNext(s, parameter, parameter_length, text, 3, NULL, 0));
	OK(p->C_VerifyMessageNext(s, parameter, parameter_length, text + 3, 17, other,
				  other_length));
	OK(p->C_VerifyMessageBegin(s, parameter, parameter_length));
	RV(p->C_VerifyMessageNext(s, parameter, parameter_length, text, 3, other, other_length),
	   CKR_SIGNATURE_INVALID);
	RV(p->C_VerifyMessageNext(s, parameter, parameter_length, text, 3, NULL, 0),
	   CKR_OPERATION_NOT_INITIALIZED);
	RV(p->C_SignMessageNext(s, parameter, parameter_length, text, 9, NULL, NULL),
	   CKR_OPERATION_NOT_INITIALIZED);
	OK(p->C_MessageSignFinal(s));
	OK(p->C_MessageVerifyFinal(s));
	RV(p->C_MessageSignFinal(s), CKR_OPERATION_NOT_INITIALIZED);
	RV(p->C_MessageVerifyFinal(s), CKR_OPERATION_NOT_INITIALIZED);
}

static void test_mac_messages(void **state)
{
	CK_MECHANISM mechanism = { CKM_SHA256_HMAC, NULL, 0 };
	CK_OBJECT_HANDLE mac = secret_key(s, CKK_GENERIC_SECRET, "0123456789abcdef", 16);

	(void)state;
	sign_messages(&mechanism, mac, mac, NULL, 0);
}

static void test_ecdsa_messages(void **state)
{
	CK_MECHANISM mechanism = { CKM_ECDSA_SHA256, NULL, 0 };
	struct pair pair = p256_pair(s, CK_FALSE, "messages");

	(void)state;
	sign_messages(&mechanism, pair.private_key, pair.public_key, NULL, 0);
}

/* Parameters at the start are for all messages; those of a message are for it alone. */
static void test_sign_parameters(void **state)
{
	CK_RSA_PKCS_PSS_PARAMS pss = { CKM_SHA256, CKG_MGF1_SHA256, 32 }, short_salt = pss;
	CK_MECHANISM mechanism = { CKM_SHA256_RSA_PKCS_PSS, &pss, sizeof(pss) };
	struct pair pair = rsa_pair(s, 2048, CK_FALSE, "pss");
	CK_BYTE signature[256];
	CK_ULONG length = sizeof(signature);

	(void)state;
	sign_messages(&mechanism, pair.private_key, pair.public_key, NULL, 0);
	short_salt.sLen = 20;
	OK(p->C_MessageSignInit(s, &mechanism, pair.private_key));
	OK(p->C_MessageVerifyInit(s, &mechanism, pair.public_key));
	OK(p->C_SignMessage(s, &short_salt, sizeof(short_salt), text, 5, signature, &length));
	RV(p->C_VerifyMessage(s, NULL, 0, text, 5, signature, length), CKR_SIGNATURE_INVALID);
	OK(p->C_VerifyMessage(s, &short_salt, sizeof(short_salt), text, 5, signature, length));
	RV(p->C_SignMessage(s, &short_salt, 3, text, 5, signature, &length),
	   CKR_MECHANISM_PARAM_INVALID);
	pss.hashAlg = CKM_SHA384;
	RV(p->C_SignMessage(s, &pss, sizeof(pss), text, 5, signature, &length),
	   CKR_MECHANISM_PARAM_INVALID);
}

static void test_long_signature(void **state)
{
	CK_MECHANISM mechanism = { CKM_SHA256_HMAC, NULL, 0 };
	CK_OBJECT_HANDLE mac = secret_key(s, CKK_GENERIC_SECRET, "0123456789abcdef", 16);
	CK_ULONG size = 200000, length = 32, single = 32;
	CK_BYTE *data = calloc(1, size), signature[32], same[32];

	(void)state;
	OK(p->C_MessageSignInit(s, &mechanism, mac));
	OK(p->C_MessageVerifyInit(s, &mechanism, mac));
	OK(p->C_SignMessage(s, NULL, 0, data, size, signature, &length));
	OK(p->C_SignInit(s, &mechanism, mac));
	OK(p->C_Sign(s, data, size, same, &single));
	assert_memory_equal(signature, same, sizeof(same));
	OK(p->C_VerifyMessage(s, NULL, 0, data, size, signature, length));
	data[150000] = 1;
	RV(p->C_VerifyMessage(s, NULL, 0, data, size, signature, length), CKR_SIGNATURE_INVALID);
	free(data);
}

static void test_sign_bad_arguments(void **state)
{
	CK_MECHANISM mechanism = { CKM_SHA256_HMAC, NULL, 0 }, gcm = { CKM_AES_GCM, NULL, 0 };
	CK_OBJECT_HANDLE mac = secret_key(s, CKK_GENERIC_SECRET, "0123456789abcdef", 16);
	CK_BYTE signature[32];
	CK_ULONG length = sizeof(signature);

	(void)state;
	RV(p->C_SignMessage(s, NULL, 0, text, 1, signature, &length),
	   CKR_OPERATION_NOT_INITIALIZED);
	RV(p->C_SignMessageBegin(s, NULL, 0), CKR_OPERATION_NOT_INITIALIZED);
	RV(p->C_VerifyMessage(s, NULL, 0, text, 1, signature, length),
	   CKR_OPERATION_NOT_INITIALIZED);
	RV(p->C_MessageSignInit(s, &gcm, key), CKR_MECHANISM_INVALID);
	RV(p->C_MessageSignInit(s, &mechanism, key), CKR_KEY_TYPE_INCONSISTENT);
	OK(p->C_MessageSignInit(s, &mechanism, mac));
	OK(p->C_MessageVerifyInit(s, &mechanism, mac));
	RV(p->C_SignMessage(s, NULL, 0, NULL, 1, signature, &length), CKR_ARGUMENTS_BAD);
	RV(p->C_SignMessage(s, NULL, 0, text, 1, signature, NULL), CKR_ARGUMENTS_BAD);
	RV(p->C_SignMessage(s, text, 3, text, 1, signature, &length), CKR_MECHANISM_PARAM_INVALID);
	RV(p->C_VerifyMessage(s, NULL, 0, text, 1, NULL, 32), CKR_ARGUMENTS_BAD);
	RV(p->C_VerifyMessage(s, NULL, 0, text, 1, signature, (CK_ULONG)-1),
	   CKR_SIGNATURE_LEN_RANGE);
	OK(p->C_SessionCancel(s, CKF_MESSAGE_SIGN | CKF_MESSAGE_VERIFY));
	RV(p->C_MessageSignFinal(s), CKR_OPERATION_NOT_INITIALIZED);
	RV(p->C_MessageVerifyFinal(s), CKR_OPERATION_NOT_INITIALIZED);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_gcm_generators),
		T(test_gcm_fixed_bits),
		T(test_counter_belongs_to_key),
		T(test_token_key_does_not_count),
		T(test_gcm_parts),
		T(test_long_message),
		T(test_ccm),
		T(test_chacha20_poly1305),
		T(test_bad_arguments),
		T(test_logout_ends_process),
		T(test_mac_messages),
		T(test_ecdsa_messages),
		T(test_sign_parameters),
		T(test_long_signature),
		T(test_sign_bad_arguments),
	};

	return cmocka_run_group_tests(tests, setup_token, teardown);
}
