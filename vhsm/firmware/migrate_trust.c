// SPDX-License-Identifier: Apache-2.0
/*
 * The documents of migrations: signed by this process's alias keys, and those of other boards checked
 * against a partition's policy, or against the board that they have to come from.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include "attest_keys.h"
#include "migrate.h"

int migrate_hash(const void *bytes, size_t length, uint8_t hash[HSM_MIGRATION_HASH])
{
	EVP_MD *md = EVP_MD_fetch(mech_libctx(), "SHA384", NULL);
	int ret = md && EVP_Digest(bytes, length, hash, NULL, md, NULL) == 1 ? 0 : -EIO;

	EVP_MD_free(md);
	return ret;
}

bool migrate_rollback_safe(void)
{
	return partitions_hello()->flags & BOARD_HELLO_ROLLBACK_SAFE;
}

/* ---- ours ---- */

CK_RV migrate_payload(const struct partition *partition, enum hsm_migration_kind kind,
		      struct hsm_migration_document *document, uint8_t **bytes, size_t *length,
		      uint8_t hash[HSM_MIGRATION_HASH])
{
	int ret;

	memcpy(document->partition, partition->info.id, sizeof(document->partition));
	memcpy(document->board, partitions_hello()->board_id, sizeof(document->board));
	ret = hsm_migration_write(kind, document, bytes, length);
	if (!ret && hash)
		ret = migrate_hash(*bytes, *length, hash);
	return ret < 0 ? CKR_DEVICE_ERROR : CKR_OK;
}

CK_RV migrate_sign(struct partition *partition, enum hsm_migration_kind kind, const uint8_t *bytes,
		   size_t length, uint8_t **message, size_t *message_length)
{
	return attest_sign(partition, hsm_migration_word(kind), bytes, length, NULL, 0, message,
			   message_length) < 0
		       ? CKR_DEVICE_ERROR
		       : CKR_OK;
}

CK_RV migrate_answer(struct command *command, enum hsm_migration_kind kind, const uint8_t *bytes,
		     size_t length)
{
	uint8_t *message = NULL;
	size_t message_length = 0;
	CK_RV rv = migrate_sign(command->partition, kind, bytes, length, &message, &message_length);

	if (rv == CKR_OK)
		hsm_put_bytes(&command->out, HSM_FIELD_DOCUMENT, message, message_length);
	free(message);
	return rv;
}

CK_RV migrate_retire(struct partition *partition, enum hsm_audit_event event,
		     const uint8_t *document, size_t length)
{
	struct board_retire retire = { .event = event };
	const struct iovec parts[] = {
		{ &retire, sizeof(retire) },
		{ (void *)document, length },
	};
	size_t answered;

	memcpy(retire.partition, partition->info.id, PARTITION_ID_SIZE);
	return board_error(storage_call(BOARD_RETIRE, parts, 2, NULL, 0, &answered));
}

/* ---- roots ---- */

static int key_hash(X509 *cert, uint8_t hash[HSM_POLICY_HASH])
{
	uint8_t *der = NULL;
	int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der), ret;

	ret = length > 0 ? migrate_hash(der, (size_t)length, hash) : -EIO;
	OPENSSL_free(der);
	return ret;
}

/* Of these certificates those whose keys are roots: of the policy, or, when there is none, the chain's own end */
static void add_roots(X509_STORE *store, const struct migrate_trust *trust, STACK_OF(X509) * certs)
{
	uint8_t hash[HSM_POLICY_HASH];
	int i, count = sk_X509_num(certs);

	if (!trust->policy && count > 0)
		X509_STORE_add_cert(store, sk_X509_value(certs, count - 1));
	for (i = 0; trust->policy && i < count; i++)
		if (!key_hash(sk_X509_value(certs, i), hash) &&
		    policy_hash_listed(&trust->policy->roots, hash))
			X509_STORE_add_cert(store, sk_X509_value(certs, i));
}

/* The certificate at *@der, which moves behind it; NULL: there is none */
static X509 *next_certificate(const uint8_t **der, size_t *length)
{
	const uint8_t *from = *der;
	X509 *cert = X509_new_ex(mech_libctx(), NULL);

	if (cert && d2i_X509(&cert, der, (long)*length)) {
		*length -= (size_t)(*der - from);
		return cert;
	}
	X509_free(cert);
	return NULL;
}

/* Further certificates that came with the command, for roots that are not in the boards' own chains */
static CK_RV take_certificates(struct command *command, STACK_OF(X509) * *certs)
{
	const uint8_t *der;
	size_t length;
	X509 *cert;

	*certs = sk_X509_new_null();
	if (!*certs)
		return CKR_HOST_MEMORY;
	der = hsm_fields_bytes(&command->fields, HSM_FIELD_MORE_CERTIFICATES, &length);
	while (length) {
		cert = next_certificate(&der, &length);
		if (!cert)
			return migrate_refuse(command, CKR_DATA_INVALID,
					      "what came as certificate %d is none",
					      sk_X509_num(*certs) + 1);
		if (!sk_X509_push(*certs, cert)) {
			X509_free(cert);
			return CKR_HOST_MEMORY;
		}
	}
	return CKR_OK;
}

static void fill_policy(struct hsm_trust_policy *out, const struct policy *policy)
{
	if (!policy)
		return;
	out->minimum_version = policy->value[HSM_POLICY_MIGRATION_VERSION];
	out->measurements = policy->measurements.hash;
	out->measurement_count = policy->measurements.count;
	out->rollback_protected = policy->value[HSM_POLICY_MIGRATION_ROLLBACK];
	if (policy->value[HSM_POLICY_MIGRATION_PRODUCTION])
		out->lifecycle = HSM_LIFECYCLE_PRODUCTION;
}

/* ---- theirs ---- */

static int refuse(char *reason, const char *text)
{
	snprintf(reason, HSM_DICE_REASON_MAX, "%s", text);
	return -EKEYREJECTED;
}

/* Whom the certificates name is whom the document names, and whom it has to come from. */
static int check_facts(const struct migrate_trust *trust, struct migrate_letter *letter,
		       int algorithm, const struct hsm_dice_facts *facts, char *reason)
{
	if (memcmp(facts->board_id, letter->document.board, HSM_DICE_ID_SIZE))
		return refuse(reason, "it names another board than its signers do");
	if (trust->peer && memcmp(trust->peer[algorithm], facts->device, HSM_FINGERPRINT_SIZE))
		return refuse(reason, "it was signed by another board");
	memcpy(letter->device[algorithm], facts->device, HSM_FINGERPRINT_SIZE);
	return 0;
}

/* One signature with its chain. Return: 0 or -EKEYREJECTED */
static int check_signature(const struct migrate_trust *trust, struct migrate_letter *letter,
			   size_t index, struct hsm_dice_facts *facts, char *reason)
{
	struct hsm_trust_policy policy = { .roots = hsm_dice_store() };
	STACK_OF(X509) *chain = hsm_cose_signer_chain(letter->message, index, mech_libctx());
	bool p384 = hsm_cose_signer_algorithm(letter->message, index) == HSM_COSE_ES384;
	X509 *leaf = chain ? sk_X509_value(chain, 0) : NULL;
	int ret = -EKEYREJECTED;

	snprintf(reason, HSM_DICE_REASON_MAX, "signature %zu does not verify", index + 1);
	if (leaf && policy.roots &&
	    !hsm_cose_verify(letter->message, index, mech_libctx(), X509_get0_pubkey(leaf), NULL,
			     0)) {
		add_roots(policy.roots, trust, chain);
		if (trust->policy)
			add_roots(policy.roots, trust, letter->more);
		fill_policy(&policy, trust->policy ? trust->policy : trust->rules);
		ret = hsm_dice_verify(mech_libctx(), &policy, HSM_DICE_LEAF_ALIAS, leaf, chain,
				      letter->document.partition, facts, reason);
	}
	if (!ret)
		ret = check_facts(trust, letter, p384 ? HSM_DICE_P384 : HSM_DICE_ML_DSA_87, facts,
				  reason);
	sk_X509_pop_free(chain, X509_free);
	X509_STORE_free(policy.roots);
	return ret;
}

/* Is there exactly one signature by each kind of key that this process signs with itself? */
static bool all_kinds(struct partition *partition, const struct hsm_cose *message)
{
	static const int kinds[HSM_DICE_ALGORITHMS] = {
		[HSM_DICE_P384] = HSM_COSE_ES384,
		[HSM_DICE_ML_DSA_87] = HSM_COSE_ML_DSA_87,
	};
	STACK_OF(X509) * chain;
	size_t i, j, found, needed = 0;

	for (i = 0; i < HSM_DICE_ALGORITHMS; i++) {
		chain = NULL;
		if (attest_chain(partition, (enum hsm_dice_algorithm)i, &chain))
			continue;
		sk_X509_pop_free(chain, X509_free);
		needed++;
		for (j = found = 0; j < hsm_cose_signatures(message); j++)
			found += hsm_cose_signer_algorithm(message, j) == kinds[i];
		if (found != 1)
			return false;
	}
	return needed && hsm_cose_signatures(message) == needed;
}

static CK_RV check(struct command *command, const struct migrate_trust *trust,
		   struct migrate_letter *letter)
{
	struct hsm_dice_facts facts[HSM_DICE_ALGORITHMS];
	char reason[HSM_DICE_REASON_MAX] = "";
	const char *difference;
	size_t i;

	if (!all_kinds(command->partition, letter->message))
		return migrate_refuse(command, CKR_SIGNATURE_INVALID,
				      "it needs one signature by each kind of alias key");
	for (i = 0; i < hsm_cose_signatures(letter->message); i++) {
		if (check_signature(trust, letter, i, &facts[i], reason))
			return migrate_refuse(command, CKR_SIGNATURE_INVALID, "%s", reason);
		difference = hsm_dice_same_signer(&facts[i], &facts[0]);
		if (difference)
			return migrate_refuse(command, CKR_SIGNATURE_INVALID, "%s", difference);
	}
	return CKR_OK;
}

CK_RV migrate_read(struct command *command, enum hsm_migration_kind kind, const uint8_t *id,
		   const struct migrate_trust *trust, struct migrate_letter *letter)
{
	const uint8_t *bytes, *payload;
	size_t length;
	CK_RV rv;

	memset(letter, 0, sizeof(*letter));
	letter->kind = kind;
	rv = take_certificates(command, &letter->more);
	if (rv != CKR_OK)
		return rv;
	bytes = hsm_fields_bytes(&command->fields, HSM_FIELD_DOCUMENT, &length);
	if (hsm_cose_read(bytes, length, hsm_migration_type(kind), &letter->message))
		return migrate_refuse(command, CKR_DATA_INVALID, "it is no %s",
				      hsm_migration_type(kind));
	payload = hsm_cose_payload(letter->message, &length);
	if (hsm_migration_read(kind, payload, length, &letter->document) ||
	    migrate_hash(payload, length, letter->hash))
		return migrate_refuse(command, CKR_DATA_INVALID, "its fields are not those of %s",
				      hsm_migration_type(kind));
	if (id && memcmp(id, letter->document.partition, PARTITION_ID_SIZE))
		return migrate_refuse(command, CKR_DATA_INVALID, "it is about another partition");
	return check(command, trust, letter);
}

enum hsm_migration_kind migrate_kind(const struct command *command, enum hsm_migration_kind one,
				     enum hsm_migration_kind other)
{
	struct hsm_cose *message = NULL;
	const uint8_t *bytes;
	size_t length;
	int ret;

	bytes = hsm_fields_bytes(&command->fields, HSM_FIELD_DOCUMENT, &length);
	ret = hsm_cose_read(bytes, length, hsm_migration_type(one), &message);
	hsm_cose_free(message);
	return ret ? other : one;
}

void migrate_letter_free(struct migrate_letter *letter)
{
	hsm_migration_free(&letter->document);
	hsm_cose_free(letter->message);
	letter->message = NULL;
	sk_X509_pop_free(letter->more, X509_free);
	letter->more = NULL;
}
