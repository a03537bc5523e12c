// SPDX-License-Identifier: Apache-2.0
/*
 * Evidence: what this process knows of the device, of a partition and of a key, put into claims and
 * signed by its aliases. Documentation/attestation.rst says what each claim means.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "approval.h"
#include "attest_keys.h"
#include "evidence.h"
#include "policy.h"

#define FIRMWARE_NAME "ihsm-firmware"

static const uint8_t oem[] = HSM_EVIDENCE_OEM;

/**
 * struct saying - evidence in the making, and what its claims point to
 * @policy: as policy_put() writes it
 */
struct saying {
	struct hsm_evidence evidence;
	struct hsm_tcb_info tcb;
	uint8_t ueid[1 + BOARD_ID_SIZE];
	char serial[sizeof(((struct board_hello *)0)->serial) + 1];
	char name[BOARD_NAME_MAX + 1];
	uint8_t identity[HSM_FINGERPRINT_SIZE];
	uint8_t owner[HSM_APPROVAL_ID_SIZE];
	uint8_t fingerprint[POLICY_FINGERPRINT];
	uint8_t policy[2 * BOARD_POLICY_MAX];
};

static void say_request(struct hsm_evidence *evidence, const struct evidence_request *request)
{
	if (request->nonce)
		hsm_evidence_bytes(evidence, HSM_CLAIM_NONCE, request->nonce,
				   request->nonce_length);
	if (request->binding)
		hsm_evidence_bytes(evidence, HSM_CLAIM_BINDING, request->binding,
				   request->binding_length);
}

/*
 * The board's flags now: a sensor may have tripped since this process began. A board that does not answer is as good as
 * one of which everything bad is true.
 */
static uint32_t board_flags(void)
{
	struct board_hello hello;
	size_t length;

	if (ask_board(BOARD_HELLO, NULL, 0, &hello, sizeof(hello), &length) < 0 ||
	    length != sizeof(hello))
		return BOARD_HELLO_TAMPERED | BOARD_HELLO_RECOVERED;
	return hello.flags;
}

static void say_board(struct saying *saying, const struct board_hello *hello)
{
	struct hsm_evidence *evidence = &saying->evidence;
	uint32_t flags = board_flags();

	saying->ueid[0] = HSM_UEID_RANDOM;
	memcpy(saying->ueid + 1, hello->board_id, BOARD_ID_SIZE);
	memcpy(saying->serial, hello->serial, sizeof(hello->serial));
	hsm_evidence_bytes(evidence, HSM_CLAIM_UEID, saying->ueid, sizeof(saying->ueid));
	hsm_evidence_bytes(evidence, HSM_CLAIM_OEM, oem, sizeof(oem));
	hsm_evidence_text(evidence, HSM_CLAIM_SERIAL, saying->serial);
	/* This firmware runs on no card: it would know of one from its board. */
	hsm_evidence_number(evidence, HSM_CLAIM_HARDWARE, 0);
	hsm_evidence_number(evidence, HSM_CLAIM_TAMPERED, !!(flags & BOARD_HELLO_TAMPERED));
	hsm_evidence_number(evidence, HSM_CLAIM_RECOVERED, !!(flags & BOARD_HELLO_RECOVERED));
	hsm_evidence_number(evidence, HSM_CLAIM_FUNCTION, hello->function);
}

/* What the board has put into the aliases' certificates, so that the two cannot differ */
static void say_tcb(struct saying *saying)
{
	struct hsm_evidence *evidence = &saying->evidence;
	const struct hsm_tcb_info *tcb = &saying->tcb;

	hsm_evidence_text(evidence, HSM_CLAIM_MODEL, tcb->model);
	/* The fuses' word at the start, which holds until the next one */
	hsm_evidence_number(evidence, HSM_CLAIM_DEBUG, tcb->debug ? 0 : 2);
	hsm_evidence_text(evidence, HSM_CLAIM_PROFILE, HSM_EVIDENCE_PROFILE);
	hsm_evidence_text(evidence, HSM_CLAIM_FIRMWARE, FIRMWARE_NAME);
	hsm_evidence_text(evidence, HSM_CLAIM_VERSION, tcb->version);
	hsm_evidence_bytes(evidence, HSM_CLAIM_MEASUREMENT, tcb->measurement,
			   sizeof(tcb->measurement));
	hsm_evidence_number(evidence, HSM_CLAIM_SECURITY_VERSION, tcb->security_version);
	hsm_evidence_number(evidence, HSM_CLAIM_LIFECYCLE, tcb->lifecycle);
	hsm_evidence_number(evidence, HSM_CLAIM_ROLLBACK, tcb->rollback_protected);
	hsm_evidence_number(evidence, HSM_CLAIM_APPROVED, tcb->approved);
}

static int find_identity(struct partition *partition, uint8_t fingerprint[HSM_FINGERPRINT_SIZE])
{
	SSL_CTX *tls = identity_tls(partition);
	X509 *cert = tls ? SSL_CTX_get0_certificate(tls) : NULL;
	EVP_PKEY *key = cert ? X509_get0_pubkey(cert) : NULL;
	int ret = key ? hsm_dice_fingerprint(mech_libctx(), key, fingerprint) : -EIO;

	SSL_CTX_free(tls);
	return ret;
}

static int say_policy(struct saying *saying, const struct policy *policy)
{
	struct hsm_evidence *evidence = &saying->evidence;
	struct hsm_writer out;

	if (!policy || policy_fingerprint(policy, saying->fingerprint) < 0)
		return -EIO;
	hsm_writer_init(&out, saying->policy, sizeof(saying->policy));
	policy_put(&out, policy);
	hsm_evidence_number(evidence, HSM_CLAIM_POLICY_PROFILE, policy->profile);
	hsm_evidence_bytes(evidence, HSM_CLAIM_FINGERPRINT, saying->fingerprint,
			   sizeof(saying->fingerprint));
	hsm_evidence_bytes(evidence, HSM_CLAIM_POLICY, saying->policy, out.length);
	if (approval_owner_id(policy, saying->owner))
		hsm_evidence_bytes(evidence, HSM_CLAIM_OWNER, saying->owner, sizeof(saying->owner));
	return out.error;
}

/* Whether the partition began here, and whether nobody else can have it. Under the partition's lock */
static void say_arrival(struct hsm_evidence *evidence, const struct migrate_state *migrate)
{
	bool restored = migrate->restored;

	hsm_evidence_number(evidence, HSM_CLAIM_ARRIVAL, migrate->origin);
	hsm_evidence_number(evidence, HSM_CLAIM_COPIES, restored || migrate->unsafe);
	if (migrate->origin != HSM_MIGRATION_ORIGIN_HERE)
		hsm_evidence_number(evidence, HSM_CLAIM_ARRIVED,
				    migrate->origin_time < UINT32_MAX ? migrate->origin_time
								      : UINT32_MAX);
}

static int say_partition(struct saying *saying, struct partition *partition)
{
	struct hsm_evidence *evidence = &saying->evidence;

	if (find_identity(partition, saying->identity) < 0)
		return -EIO;
	pthread_mutex_lock(&partition->lock);
	memcpy(saying->name, partition->info.name, BOARD_NAME_MAX);
	say_arrival(evidence, &partition->state.migrate);
	pthread_mutex_unlock(&partition->lock);
	hsm_evidence_text(evidence, HSM_CLAIM_NAME, saying->name);
	hsm_evidence_bytes(evidence, HSM_CLAIM_IDENTITY, saying->identity,
			   sizeof(saying->identity));
	return say_policy(saying, policy_of(partition));
}

/* ---- keys ---- */

static int say_key(struct saying *saying, struct object *object)
{
	const struct attributes *set = &object->attributes;
	const struct attribute *unique = attributes_find(set, CKA_UNIQUE_ID);
	const struct attribute *public = attributes_find(set, CKA_PUBLIC_KEY_INFO);
	uint64_t origin = attributes_ulong(set, CKA_HSM_ORIGIN, CK_HSM_ORIGIN_IMPORTED);
	struct hsm_evidence *evidence = &saying->evidence;

	hsm_evidence_number(evidence, HSM_CLAIM_ORIGIN, origin & CK_HSM_ORIGIN_KIND);
	hsm_evidence_number(evidence, HSM_CLAIM_UNMASKED, !!(origin & CK_HSM_ORIGIN_UNMASKED));
	if (unique)
		hsm_evidence_bytes(evidence, HSM_CLAIM_UNIQUE_ID, unique->value, unique->length);
	if (public && public->length)
		hsm_evidence_bytes(evidence, HSM_CLAIM_PUBLIC, public->value, public->length);
	evidence->claim[HSM_CLAIM_ATTRIBUTES].present = true;
	evidence->attributes = evidence_attributes(object);
	return evidence->attributes ? 0 : -ENOMEM;
}

/* ---- all of it ---- */

static int say(struct saying *saying, struct partition *partition, enum hsm_evidence_kind kind,
	       struct object *object)
{
	struct hsm_evidence *evidence = &saying->evidence;
	int ret = attest_tcb(partition, &saying->tcb);

	if (ret < 0)
		return ret;
	say_board(saying, partitions_hello());
	say_tcb(saying);
	hsm_evidence_number(evidence, HSM_CLAIM_KIND, kind);
	hsm_evidence_bytes(evidence, HSM_CLAIM_PARTITION, partition->info.id, PARTITION_ID_SIZE);
	if (kind >= HSM_EVIDENCE_PARTITION)
		ret = say_partition(saying, partition);
	if (!ret && kind >= HSM_EVIDENCE_KEY)
		ret = say_key(saying, object);
	return ret;
}

static int say_signed(struct saying *saying, struct partition *partition, uint8_t **message,
		      size_t *length)
{
	uint8_t *payload;
	size_t size;
	int ret = hsm_evidence_encode(&saying->evidence, &payload, &size);

	if (ret < 0)
		return ret;
	ret = attest_sign(partition, "evidence", payload, size, NULL, 0, message, length);
	free(payload);
	return ret;
}

static bool request_valid(const struct evidence_request *request)
{
	return (!request->nonce || (request->nonce_length >= HSM_EVIDENCE_NONCE_MIN &&
				    request->nonce_length <= HSM_EVIDENCE_NONCE_MAX)) &&
	       (!request->binding ||
		(request->binding_length && request->binding_length <= HSM_EVIDENCE_BINDING_MAX));
}

CK_RV evidence_make(struct partition *partition, enum hsm_evidence_kind kind, struct object *object,
		    const struct evidence_request *request, uint8_t **message, size_t *length)
{
	struct saying *saying;
	int ret;

	if (!request_valid(request))
		return CKR_ARGUMENTS_BAD;
	if (kind == HSM_EVIDENCE_KEY &&
	    !class_is_key(attributes_ulong(&object->attributes, CKA_CLASS, ~0ULL)))
		return CKR_KEY_HANDLE_INVALID;
	saying = calloc(1, sizeof(*saying));
	if (!saying)
		return CKR_HOST_MEMORY;
	say_request(&saying->evidence, request);
	ret = say(saying, partition, kind, object);
	if (!ret)
		ret = say_signed(saying, partition, message, length);
	hsm_evidence_free(&saying->evidence);
	free(saying);
	return !ret ? CKR_OK : ret == -ENOMEM ? CKR_HOST_MEMORY : CKR_DEVICE_ERROR;
}
