// SPDX-License-Identifier: Apache-2.0
/*
 * The check of a DICE chain against what the verifier trusts. libcrypto checks signatures, path lengths,
 * key usages and name constraints; here it is decided whether the chain has the shape that the board's ROM
 * gives it, and whether the firmware that it tells of is one to believe.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <hsm/dice.h>

/**
 * struct chain - a path that libcrypto has verified
 * @certs: the leaf first
 * @count: of them
 * @alias: which of them is the alias; the device is the next one
 */
struct chain {
	STACK_OF(X509) * certs;
	int count;
	int alias;
};

static int refuse(char *reason, const char *text)
{
	snprintf(reason, HSM_DICE_REASON_MAX, "%s", text);
	return -EKEYREJECTED;
}

static void hex(const uint8_t *bytes, size_t length, char *text)
{
	for (size_t i = 0; i < length; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

/* Security in bits that each key and signature of a chain has at least, by libcrypto's levels: 3 is 128 */
#define LEVEL 3

X509_STORE *hsm_dice_store(void)
{
	X509_STORE *store = X509_STORE_new();

	/*
	 * A certificate listed by the verifier is believed itself, also when it is no self-signed root. A
	 * device's certificates have no end, and what is to be refused is revoked by name.
	 */
	if (store)
		X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_NO_CHECK_TIME);
	return store;
}

/* ---- the path ---- */

static int build(OSSL_LIB_CTX *libctx, const struct hsm_trust_policy *policy, X509 *leaf,
		 STACK_OF(X509) * others, struct chain *chain, char *reason)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new_ex(libctx, NULL);
	int ret = -ENOMEM;

	snprintf(reason, HSM_DICE_REASON_MAX, "out of memory");
	if (!ctx || X509_STORE_CTX_init(ctx, policy->roots, leaf, others) != 1)
		goto out;
	X509_STORE_CTX_set_depth(ctx, HSM_DICE_CHAIN_MAX);
	X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(ctx), LEVEL);
	if (X509_verify_cert(ctx) == 1) {
		chain->certs = X509_STORE_CTX_get1_chain(ctx);
		chain->count = sk_X509_num(chain->certs);
		ret = chain->certs ? 0 : -ENOMEM;
	} else {
		snprintf(reason, HSM_DICE_REASON_MAX,
			 "the certificates lead to no trusted root (%s)",
			 X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
		ret = -EKEYREJECTED;
	}
out:
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return ret;
}

/* An alias can make certificates, but none that is taken for an alias: exactly one has a TCBInfo, at its place. */
static int find_alias(struct chain *chain, int place, struct hsm_tcb_info *tcb, char *reason)
{
	struct hsm_tcb_info found;
	int i, ret, count = 0;

	for (i = 0; i < chain->count; i++) {
		ret = hsm_tcb_info_find(sk_X509_value(chain->certs, i), &found);
		if (ret == -EBADMSG)
			return refuse(reason, "a certificate has a TCBInfo that makes no sense");
		if (ret)
			continue;
		count++;
		chain->alias = i;
		*tcb = found;
	}
	if (!count)
		return refuse(reason,
			      "no certificate has a TCBInfo: nothing says which firmware it is");
	if (count > 1)
		return refuse(reason, "more than one certificate has a TCBInfo");
	if (chain->alias != place)
		return refuse(reason, "the TCBInfo is not in the alias's certificate");
	if (chain->alias + 1 >= chain->count)
		return refuse(reason, "the device's certificate is missing above the alias's");
	return 0;
}

/* Is the certificate's key for all of these uses, and does the certificate say so? */
static bool is_for(X509 *cert, uint32_t uses)
{
	return X509_get_extension_flags(cert) & EXFLAG_KUSAGE &&
	       (X509_get_key_usage(cert) & uses) == uses;
}

/*
 * A device whose key somebody has could certify another "device" below itself, with any name; so what is above a
 * device's certificate has to allow for a chain that is longer by an alias and its partition. For a partition's
 * certificate libcrypto has counted so, for an alias's own nobody has.
 */
static int check_device(const struct chain *chain, char *reason)
{
	int at = chain->alias + 1;
	long path;

	if (X509_get_pathlen(sk_X509_value(chain->certs, at)) != at - chain->alias)
		return refuse(reason, "the device's certificate is none that a board has");
	while (++at < chain->count) {
		path = X509_get_pathlen(sk_X509_value(chain->certs, at));
		if (path >= 0 && path < at - chain->alias)
			return refuse(reason,
				      "the device was certified by who may not (path length)");
	}
	return 0;
}

static bool same_kind(const X509 *a, const X509 *b)
{
	const char *name = EVP_PKEY_get0_type_name(X509_get0_pubkey(b));

	return name && EVP_PKEY_is_a(X509_get0_pubkey(a), name);
}

/* Keys that no quantum computer gets out of a certificate */
static bool is_lasting(const X509 *cert)
{
	EVP_PKEY *key = X509_get0_pubkey(cert);
	const char *name = key ? EVP_PKEY_get0_type_name(key) : NULL;

	return name && (!strncmp(name, "ML-DSA-", 7) || !strncmp(name, "SLH-DSA-", 8));
}

bool hsm_dice_one_strength(STACK_OF(X509) * chain)
{
	int i, count = sk_X509_num(chain);

	for (i = 1; i < count && is_lasting(sk_X509_value(chain, 0)); i++)
		if (!is_lasting(sk_X509_value(chain, i)))
			return false;
	return true;
}

static int check_keys(const struct chain *chain, char *reason)
{
	X509 *alias = sk_X509_value(chain->certs, chain->alias);

	if (!same_kind(alias, sk_X509_value(chain->certs, chain->alias + 1)))
		return refuse(reason, "alias and device have keys of different kinds");
	if (!hsm_dice_one_strength(chain->certs))
		return refuse(reason, "a key of ML-DSA is certified by one that is none");
	return 0;
}

static int check_shape(const struct chain *chain, const uint8_t *partition, char *reason)
{
	X509 *alias = sk_X509_value(chain->certs, chain->alias);
	X509 *leaf = sk_X509_value(chain->certs, 0);

	if (X509_check_ca(alias) != 1 || X509_get_pathlen(alias) != 0 ||
	    !is_for(alias, KU_DIGITAL_SIGNATURE | KU_KEY_CERT_SIGN))
		return refuse(reason, "the alias's certificate is none that a board makes");
	if (chain->alias && X509_check_ca(leaf))
		return refuse(reason, "the partition's certificate is that of a CA");
	if (chain->alias && !is_for(leaf, KU_DIGITAL_SIGNATURE))
		return refuse(reason, "the partition's key is not for signatures");
	if (!hsm_dice_names_partition(alias, partition))
		return refuse(reason, "the alias's certificate is for another partition");
	if (!hsm_dice_names_partition(leaf, partition))
		return refuse(reason, "the certificate is that of another partition");
	return check_device(chain, reason);
}

/* ---- the policy ---- */

static bool listed(const struct hsm_fingerprints *list, const uint8_t *fingerprint)
{
	for (size_t i = 0; i < list->count; i++)
		if (memcmp(list->list[i], fingerprint, HSM_FINGERPRINT_SIZE) == 0)
			return true;
	return false;
}

static int check_revoked(const char *what, const struct hsm_fingerprints *list,
			 const uint8_t *fingerprint, char *reason)
{
	char text[2 * HSM_FINGERPRINT_SIZE + 1];

	if (!listed(list, fingerprint))
		return 0;
	hex(fingerprint, HSM_FINGERPRINT_SIZE, text);
	snprintf(reason, HSM_DICE_REASON_MAX, "%s sha256:%s is revoked", what, text);
	return -EKEYREJECTED;
}

static int check_measurement(const struct hsm_trust_policy *policy, const struct hsm_tcb_info *tcb,
			     char *reason)
{
	char text[2 * HSM_MEASUREMENT_SIZE + 1];
	size_t i;

	for (i = 0; i < policy->measurement_count; i++)
		if (memcmp(policy->measurements[i], tcb->measurement, HSM_MEASUREMENT_SIZE) == 0)
			return 0;
	if (!policy->measurement_count)
		return 0;
	hex(tcb->measurement, HSM_MEASUREMENT_SIZE, text);
	snprintf(reason, HSM_DICE_REASON_MAX, "firmware measurement sha384:%s is not allowed",
		 text);
	return -EKEYREJECTED;
}

static int check_lifecycle(const struct hsm_trust_policy *policy, const struct hsm_tcb_info *tcb,
			   char *reason)
{
	if (!policy->lifecycle)
		return 0;
	if (tcb->lifecycle != policy->lifecycle) {
		snprintf(reason, HSM_DICE_REASON_MAX,
			 "the device's lifecycle is %s, required is %s",
			 hsm_lifecycle_name(tcb->lifecycle), hsm_lifecycle_name(policy->lifecycle));
		return -EKEYREJECTED;
	}
	if (policy->lifecycle == HSM_LIFECYCLE_PRODUCTION && tcb->debug)
		return refuse(reason, "the device's debug state is open");
	return 0;
}

static int check_tcb(const struct hsm_trust_policy *policy, const struct hsm_tcb_info *tcb,
		     char *reason)
{
	int ret;

	if (tcb->security_version < policy->minimum_version) {
		snprintf(reason, HSM_DICE_REASON_MAX,
			 "firmware security version %u is below %u, the minimum",
			 tcb->security_version, policy->minimum_version);
		return -EKEYREJECTED;
	}
	ret = check_measurement(policy, tcb, reason);
	if (!ret)
		ret = check_lifecycle(policy, tcb, reason);
	if (ret)
		return ret;
	if (policy->approved && !tcb->approved)
		return refuse(reason, "the firmware does not run in approved mode");
	if (policy->rollback_protected && !tcb->rollback_protected)
		return refuse(reason,
			      "the device is not protected against old copies of its state");
	return 0;
}

/* The device's key, and whoever's has certified it: a vendor's that was lost takes its devices with it. */
static int check_above(OSSL_LIB_CTX *libctx, const struct hsm_trust_policy *policy,
		       const struct chain *chain, char *reason)
{
	uint8_t fingerprint[HSM_FINGERPRINT_SIZE];
	int i, ret = 0;

	for (i = chain->alias + 1; !ret && i < chain->count && policy->revoked_devices.count; i++) {
		ret = hsm_dice_fingerprint(libctx, X509_get0_pubkey(sk_X509_value(chain->certs, i)),
					   fingerprint);
		if (ret)
			snprintf(reason, HSM_DICE_REASON_MAX, "a certificate's key cannot be read");
		else
			ret = check_revoked(i == chain->alias + 1 ? "device" : "certifier",
					    &policy->revoked_devices, fingerprint, reason);
	}
	return ret;
}

static int get_facts(OSSL_LIB_CTX *libctx, const struct chain *chain, struct hsm_dice_facts *facts,
		     char *reason)
{
	X509 *alias = sk_X509_value(chain->certs, chain->alias);
	X509 *device = sk_X509_value(chain->certs, chain->alias + 1);

	if (hsm_dice_fingerprint(libctx, X509_get0_pubkey(device), facts->device) ||
	    hsm_dice_fingerprint(libctx, X509_get0_pubkey(alias), facts->alias)) {
		snprintf(reason, HSM_DICE_REASON_MAX, "a certificate's key cannot be read");
		return -EIO;
	}
	if (hsm_dice_device_name(device, facts->board_id, facts->serial))
		return refuse(reason, "the device's certificate names no board");
	return 0;
}

static int check_policy(OSSL_LIB_CTX *libctx, const struct hsm_trust_policy *policy,
			const struct chain *chain, struct hsm_dice_facts *facts, char *reason)
{
	int ret = get_facts(libctx, chain, facts, reason);

	if (!ret)
		ret = check_above(libctx, policy, chain, reason);
	if (!ret)
		ret = check_revoked("alias", &policy->revoked_aliases, facts->alias, reason);
	return ret ? ret : check_tcb(policy, &facts->tcb, reason);
}

int hsm_dice_verify(OSSL_LIB_CTX *libctx, const struct hsm_trust_policy *policy,
		    enum hsm_dice_leaf kind, X509 *leaf, STACK_OF(X509) * others,
		    const uint8_t partition[HSM_DICE_ID_SIZE], struct hsm_dice_facts *facts,
		    char *reason)
{
	struct chain chain = { 0 };
	int ret;

	memset(facts, 0, sizeof(*facts));
	ret = build(libctx, policy, leaf, others, &chain, reason);
	if (!ret)
		ret = find_alias(&chain, kind == HSM_DICE_LEAF_ALIAS ? 0 : 1, &facts->tcb, reason);
	if (!ret)
		ret = check_shape(&chain, partition, reason);
	if (!ret)
		ret = check_keys(&chain, reason);
	if (!ret)
		ret = check_policy(libctx, policy, &chain, facts, reason);
	sk_X509_pop_free(chain.certs, X509_free);
	if (!ret)
		reason[0] = '\0';
	return ret;
}

/* ---- two chains ---- */

static bool same_firmware(const struct hsm_tcb_info *a, const struct hsm_tcb_info *b)
{
	return !strcmp(a->vendor, b->vendor) && !strcmp(a->model, b->model) &&
	       !strcmp(a->version, b->version) && a->security_version == b->security_version &&
	       a->function == b->function && a->lifecycle == b->lifecycle && a->debug == b->debug &&
	       a->approved == b->approved && a->rollback_protected == b->rollback_protected &&
	       !memcmp(a->measurement, b->measurement, sizeof(a->measurement));
}

const char *hsm_dice_same_signer(const struct hsm_dice_facts *one,
				 const struct hsm_dice_facts *other)
{
	if (memcmp(one->board_id, other->board_id, HSM_DICE_ID_SIZE) ||
	    strcmp(one->serial, other->serial))
		return "the two signers' certificates are of different boards";
	if (!same_firmware(&one->tcb, &other->tcb))
		return "the two signers' certificates tell of different firmware";
	return NULL;
}
