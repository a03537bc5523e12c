/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A board, its firmware's aliases and what they sign, made without a board; and hsm-verify's
 * functions called with files of a directory that goes with the test.
 */
#ifndef HSM_VERIFY_FIXTURE_H
#define HSM_VERIFY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail /* a name of ours as well */
#include <openssl/pem.h>
#include <hsm/evidence.h>
#include "hsm-verify.h"
#include "temporary.h"

static const uint8_t partition_id[HSM_DICE_ID_SIZE] = { 0xaa, 0xbb, 1 };

/**
 * struct fake_board - device and alias keys by algorithm, their certificates, and what these say
 * @key: NULL where libcrypto has no such algorithm
 */
struct fake_board {
	struct hsm_tcb_info tcb;
	uint8_t id[HSM_DICE_ID_SIZE];
	struct hsm_dice_keys device, alias;
	X509 *device_cert[HSM_DICE_ALGORITHMS], *alias_cert[HSM_DICE_ALGORITHMS];
};

static inline void fake_tcb(struct hsm_tcb_info *tcb)
{
	*tcb = (struct hsm_tcb_info){
		.vendor = "Integrated HSM",
		.model = "Virtual HSM",
		.version = "0.1.0",
		.security_version = 3,
		.function = 1,
		.lifecycle = HSM_LIFECYCLE_PRODUCTION,
		.rollback_protected = true,
	};
	memset(tcb->measurement, 0x5e, sizeof(tcb->measurement));
}

/* fake_alias - aliases of the board, anew, for what board->tcb says now */
static inline void fake_alias(struct fake_board *board, uint8_t seed)
{
	uint8_t cdi[HSM_CDI_SIZE];

	memset(cdi, seed, sizeof(cdi));
	hsm_dice_keys_free(&board->alias);
	assert_int_equal(hsm_dice_keys_derive(NULL, cdi, &board->alias), 0);
	for (int i = 0; i < HSM_DICE_ALGORITHMS; i++) {
		X509_free(board->alias_cert[i]);
		board->alias_cert[i] = NULL;
		if (!board->device.key[i])
			continue;
		board->alias_cert[i] = hsm_dice_alias_certificate(NULL, board->device_cert[i],
								  board->device.key[i],
								  board->alias.key[i], &board->tcb,
								  partition_id);
		assert_non_null(board->alias_cert[i]);
	}
}

#define FAKE_SERIAL "FAKE"

/* @id, @serial: as its certificates name it, which need not be what another one with the same keys is called */
static inline void fake_board_named(struct fake_board *board, uint8_t seed, uint8_t id,
				    const char *serial)
{
	struct hsm_dice_device device = { .serial = serial };
	uint8_t cdi[HSM_CDI_SIZE];

	memset(board, 0, sizeof(*board));
	memset(cdi, seed, sizeof(cdi));
	memset(board->id, id, sizeof(board->id));
	memcpy(device.board_id, board->id, sizeof(device.board_id));
	fake_tcb(&board->tcb);
	assert_int_equal(hsm_dice_keys_derive(NULL, cdi, &board->device), 0);
	for (int i = 0; i < HSM_DICE_ALGORITHMS; i++) {
		if (!board->device.key[i])
			continue;
		board->device_cert[i] =
			hsm_dice_device_certificate(NULL, &device, board->device.key[i]);
		assert_non_null(board->device_cert[i]);
	}
	fake_alias(board, (uint8_t)(seed + 1));
}

static inline void fake_board(struct fake_board *board, uint8_t seed)
{
	fake_board_named(board, seed, seed, FAKE_SERIAL);
}

static inline void fake_board_free(struct fake_board *board)
{
	for (int i = 0; i < HSM_DICE_ALGORITHMS; i++) {
		X509_free(board->device_cert[i]);
		X509_free(board->alias_cert[i]);
	}
	hsm_dice_keys_free(&board->device);
	hsm_dice_keys_free(&board->alias);
}

/**
 * fake_sign - sign as a board does
 * @keys: by whose keys, @chain: under whose certificates; the same board's for what is genuine
 * @algorithms: bits, 1 << enum hsm_dice_algorithm
 */
static inline void fake_sign(const struct fake_board *keys, const struct fake_board *chain,
			     unsigned int algorithms, const char *type, const uint8_t *payload,
			     size_t length, uint8_t **message, size_t *message_length)
{
	struct hsm_cose_signer signer[HSM_DICE_ALGORITHMS] = { 0 };
	size_t count = 0;

	for (int i = 0; i < HSM_DICE_ALGORITHMS; i++) {
		if (!keys->alias.key[i] || !(algorithms & 1U << i))
			continue;
		signer[count].key = keys->alias.key[i];
		signer[count].chain = sk_X509_new_null();
		sk_X509_push(signer[count].chain, chain->alias_cert[i]);
		sk_X509_push(signer[count].chain, chain->device_cert[i]);
		count++;
	}
	assert_int_equal(hsm_cose_sign(NULL, signer, count, type, payload, length, NULL, 0, message,
				       message_length),
			 0);
	while (count)
		sk_X509_free(signer[--count].chain);
}

#define FAKE_BOTH (1U << HSM_DICE_P384 | 1U << HSM_DICE_ML_DSA_87)

/* ---- evidence ---- */

static const uint8_t fake_nonce[] = { 1, 2, 3, 4, 5, 6, 7, 8 };
#define FAKE_NONCE "0102030405060708"
static const uint8_t fake_binding[] = { 0xb1, 0xb2 };
#define FAKE_BINDING "b1b2"

/**
 * struct fake_evidence - evidence of a key, and what its claims point to
 * @board: whose certificates it agrees with
 */
struct fake_evidence {
	struct hsm_evidence evidence;
	uint8_t ueid[17], hash[32], fingerprint[48];
	uint8_t policy[64];
	size_t policy_length;
};

static inline void fake_policy(struct fake_evidence *fake)
{
	struct hsm_writer out;

	hsm_writer_init(&out, fake->policy, sizeof(fake->policy));
	hsm_put_u32(&out, HSM_FIELD_MIN_RSA, 3072);
	hsm_put_u32(&out, HSM_FIELD_PROFILE, HSM_PROFILE_STRICT);
	fake->policy_length = out.length;
	assert_int_equal(
		EVP_Digest(fake->policy, out.length, fake->fingerprint, NULL, EVP_sha384(), NULL), 1);
}

static inline cbor_item_t *fake_attributes(void)
{
	cbor_item_t *map = cbor_new_definite_map(4);
	cbor_item_t *list = cbor_new_definite_array(1);

	assert_true(hsm_cbor_push(list, hsm_cbor_uint(CKM_ECDSA)));
	assert_true(hsm_cbor_put(map, CKA_CLASS, hsm_cbor_uint(CKO_PRIVATE_KEY)));
	assert_true(hsm_cbor_put(map, CKA_LABEL, cbor_build_bytestring((const uint8_t *)"web", 3)));
	assert_true(hsm_cbor_put(map, CKA_SENSITIVE, cbor_build_bool(true)));
	assert_true(hsm_cbor_put(map, CKA_ALLOWED_MECHANISMS, list));
	return map;
}

static inline void fake_device_claims(struct hsm_evidence *e, const struct hsm_tcb_info *tcb)
{
	static const uint8_t oem[] = HSM_EVIDENCE_OEM;

	hsm_evidence_bytes(e, HSM_CLAIM_OEM, oem, sizeof(oem));
	hsm_evidence_text(e, HSM_CLAIM_MODEL, tcb->model);
	hsm_evidence_number(e, HSM_CLAIM_DEBUG, tcb->debug ? 0 : 2);
	hsm_evidence_text(e, HSM_CLAIM_PROFILE, HSM_EVIDENCE_PROFILE);
	hsm_evidence_text(e, HSM_CLAIM_FIRMWARE, "ihsm-firmware");
	hsm_evidence_text(e, HSM_CLAIM_VERSION, tcb->version);
	hsm_evidence_text(e, HSM_CLAIM_SERIAL, FAKE_SERIAL);
	hsm_evidence_number(e, HSM_CLAIM_HARDWARE, 0);
	hsm_evidence_bytes(e, HSM_CLAIM_MEASUREMENT, tcb->measurement, sizeof(tcb->measurement));
	hsm_evidence_number(e, HSM_CLAIM_SECURITY_VERSION, tcb->security_version);
	hsm_evidence_number(e, HSM_CLAIM_LIFECYCLE, tcb->lifecycle);
	hsm_evidence_number(e, HSM_CLAIM_TAMPERED, 0);
	hsm_evidence_number(e, HSM_CLAIM_ROLLBACK, tcb->rollback_protected);
	hsm_evidence_number(e, HSM_CLAIM_APPROVED, tcb->approved);
	hsm_evidence_number(e, HSM_CLAIM_FUNCTION, tcb->function);
	hsm_evidence_number(e, HSM_CLAIM_RECOVERED, 0);
}

static inline void fake_evidence(struct fake_evidence *fake, const struct fake_board *board)
{
	struct hsm_evidence *e = &fake->evidence;

	memset(fake, 0, sizeof(*fake));
	memset(fake->hash, 0x77, sizeof(fake->hash));
	fake->ueid[0] = HSM_UEID_RANDOM;
	memcpy(fake->ueid + 1, board->id, sizeof(board->id));
	fake_policy(fake);
	fake_device_claims(e, &board->tcb);
	hsm_evidence_bytes(e, HSM_CLAIM_NONCE, fake_nonce, sizeof(fake_nonce));
	hsm_evidence_bytes(e, HSM_CLAIM_UEID, fake->ueid, sizeof(fake->ueid));
	hsm_evidence_bytes(e, HSM_CLAIM_BINDING, fake_binding, sizeof(fake_binding));
	hsm_evidence_number(e, HSM_CLAIM_KIND, HSM_EVIDENCE_KEY);
	hsm_evidence_bytes(e, HSM_CLAIM_PARTITION, partition_id, sizeof(partition_id));
	hsm_evidence_text(e, HSM_CLAIM_NAME, "web");
	hsm_evidence_number(e, HSM_CLAIM_POLICY_PROFILE, HSM_PROFILE_STRICT);
	hsm_evidence_bytes(e, HSM_CLAIM_FINGERPRINT, fake->fingerprint, sizeof(fake->fingerprint));
	hsm_evidence_bytes(e, HSM_CLAIM_POLICY, fake->policy, fake->policy_length);
	hsm_evidence_bytes(e, HSM_CLAIM_IDENTITY, fake->hash, sizeof(fake->hash));
	hsm_evidence_bytes(e, HSM_CLAIM_OWNER, fake->hash, sizeof(fake->hash));
	hsm_evidence_number(e, HSM_CLAIM_ARRIVAL, HSM_MIGRATION_ORIGIN_MOVED);
	hsm_evidence_number(e, HSM_CLAIM_COPIES, 0);
	hsm_evidence_number(e, HSM_CLAIM_ARRIVED, 1800000000);
	hsm_evidence_number(e, HSM_CLAIM_ORIGIN, CK_HSM_ORIGIN_GENERATED);
	hsm_evidence_number(e, HSM_CLAIM_UNMASKED, 0);
	hsm_evidence_text(e, HSM_CLAIM_UNIQUE_ID, "unique");
	hsm_evidence_bytes(e, HSM_CLAIM_PUBLIC, fake->hash, sizeof(fake->hash));
	e->claim[HSM_CLAIM_ATTRIBUTES].present = true;
	e->attributes = fake_attributes();
}

/* ---- hsm-verify ---- */

static char directory[TEMPORARY_PATH];

static inline const char *file_in(char path[TEMPORARY_FILE], const char *name)
{
	snprintf(path, TEMPORARY_FILE, "%s/%s", directory, name);
	return path;
}

static inline void put_file(const char *name, const void *bytes, size_t length)
{
	char path[TEMPORARY_FILE];
	FILE *file = fopen(file_in(path, name), "w");
	size_t written;
	int error;

	assert_non_null(file);
	written = fwrite(bytes, 1, length, file);
	error = fclose(file);
	assert_int_equal(error, 0);
	assert_int_equal(written, length);
}

/*
 * Roots: the device's certificates themselves, as who pins a board without a vendor has them; behind what is
 * in the file
 */
static inline void put_roots(const struct fake_board *board, const char *name)
{
	char path[TEMPORARY_FILE];
	FILE *file = fopen(file_in(path, name), "a");

	assert_non_null(file);
	for (int i = 0; i < HSM_DICE_ALGORITHMS; i++)
		if (board->device_cert[i])
			assert_int_equal(PEM_write_X509(file, board->device_cert[i]), 1);
	assert_int_equal(fclose(file), 0);
}

struct run {
	const char *nonce, *binding, *policy, *root;
	bool no_root;
};

/* run_evidence - hsm-verify evidence of a message. Return: its exit code; @result, if not NULL: for json_object_put() */
static inline int run_evidence(const struct run *run, const uint8_t *message, size_t length,
			       struct json_object **result)
{
	struct verify verify = { .nonce = run->nonce, .binding = run->binding };
	char message_path[TEMPORARY_FILE], root[TEMPORARY_FILE], policy[TEMPORARY_FILE];
	char *args[] = { message_path, NULL };
	int code;

	put_file("message", message, length);
	file_in(message_path, "message");
	if (!run->no_root)
		verify.root[verify.roots++] = file_in(root, run->root ?: "root.pem");
	if (run->policy) {
		put_file("policy.json", run->policy, strlen(run->policy));
		verify.policy = file_in(policy, "policy.json");
	}
	verify.libctx = OSSL_LIB_CTX_new();
	verify.result = json_object_new_object();
	code = trust_load(&verify);
	if (!code)
		code = verify_evidence(&verify, args);
	trust_free(&verify);
	if (result)
		*result = json_object_get(verify.result);
	json_object_put(verify.result);
	OSSL_LIB_CTX_free(verify.libctx);
	return code;
}

#endif /* HSM_VERIFY_FIXTURE_H */
