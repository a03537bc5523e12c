// SPDX-License-Identifier: Apache-2.0
/*
 * DICE as the board's ROM does it: the device's keys from the device's secret, a secret for each function
 * from what was measured, and certificates for the aliases that come from that. A function's process gets the secret of
 * its own aliases and nothing of the device's keys (Documentation/attestation.rst, "Certificates").
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <hsm/dice.h>
#include "internal.h"
#include "le.h"

#define INFO_MAX      128
#define ITEM_NAME_MAX 40
#define DEVICE_PATH \
	1 /* aliases below the device's certificate are CAs, and nothing below these is */

/**
 * struct dice - the device's keys and certificates, made when first needed
 * @lock: of all; the state's lock is taken under it, never the other way round
 * @secret: CDI_0 that @keys come from: when the fuses' secret is another one, all of it is made anew
 * @chain: by algorithm; the device's certificate first, with what was installed above it
 */
struct dice {
	pthread_mutex_t lock;
	bool ready;
	uint8_t secret[HSM_CDI_SIZE];
	struct hsm_dice_keys keys;
	STACK_OF(X509) * chain[HSM_DICE_ALGORITHMS];
};

/**
 * struct dice_facts - what the state says, copied under its lock
 * @secret: CDI_0
 */
struct dice_facts {
	uint8_t secret[HSM_CDI_SIZE];
	uint8_t board_id[BOARD_ID_SIZE];
	char serial[BOARD_SERIAL_SIZE];
	uint32_t lifecycle;
	bool debug;
	bool apart;
};

struct dice *dice_new(void)
{
	struct dice *dice = calloc(1, sizeof(*dice));

	if (dice)
		pthread_mutex_init(&dice->lock, NULL);
	return dice;
}

static void forget(struct dice *dice)
{
	for (unsigned int i = 0; i < HSM_DICE_ALGORITHMS; i++) {
		sk_X509_pop_free(dice->chain[i], X509_free);
		dice->chain[i] = NULL;
	}
	hsm_dice_keys_free(&dice->keys);
	OPENSSL_cleanse(dice->secret, sizeof(dice->secret));
	dice->ready = false;
}

void dice_free(struct dice *dice)
{
	if (!dice)
		return;
	forget(dice);
	pthread_mutex_destroy(&dice->lock);
	free(dice);
}

/* ---- what the state says ---- */

/* Under state_enter() */
static int read_facts(struct state *state, struct dice_facts *facts)
{
	const struct fuse_values *values = fuses_values(state->fuses);

	memcpy(facts->board_id, values->board_id, sizeof(facts->board_id));
	memcpy(facts->serial, values->serial, sizeof(facts->serial));
	facts->lifecycle = values->lifecycle;
	facts->debug = values->debug != 0;
	facts->apart = state->apart;
	return hsm_dice_derive(keys_libctx(state->keys), values->secret, "ihsm dice device", NULL,
			       0, facts->secret);
}

static int get_facts(struct state *state, struct dice_facts *facts)
{
	int ret = state_enter(state);

	if (ret)
		return ret;
	ret = read_facts(state, facts);
	state_leave(state);
	return ret;
}

/* ---- the installed certificates ---- */

static void item_name(unsigned int algorithm, char name[ITEM_NAME_MAX])
{
	snprintf(name, ITEM_NAME_MAX, "device certificate %s", hsm_dice_algorithm_name(algorithm));
}

static STACK_OF(X509) * read_certificates(OSSL_LIB_CTX *libctx, const uint8_t *der, size_t length)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	const uint8_t *end = der + length;
	X509 *cert;

	while (chain && der < end) {
		cert = X509_new_ex(libctx, NULL);
		if (cert && d2i_X509(&cert, &der, end - der) &&
		    sk_X509_num(chain) < HSM_DICE_CHAIN_MAX && sk_X509_push(chain, cert))
			continue;
		X509_free(cert);
		sk_X509_pop_free(chain, X509_free);
		chain = NULL;
	}
	return chain;
}

/* Each is certified by the next one. */
static bool is_path(STACK_OF(X509) * chain)
{
	for (int i = 0; i + 1 < sk_X509_num(chain); i++) {
		X509 *cert = sk_X509_value(chain, i), *issuer = sk_X509_value(chain, i + 1);

		if (X509_check_issued(issuer, cert) != X509_V_OK ||
		    X509_verify(cert, X509_get0_pubkey(issuer)) != 1)
			return false;
	}
	return true;
}

/* What a vendor certifies is this board by its own name; verifiers compare it with what the board says of itself. */
static bool names_board(const X509 *cert, const struct dice_facts *facts)
{
	uint8_t id[HSM_DICE_ID_SIZE];
	char serial[HSM_DICE_SERIAL_MAX + 1];

	return hsm_dice_device_name(cert, id, serial) == 0 &&
	       memcmp(id, facts->board_id, sizeof(id)) == 0 && strcmp(serial, facts->serial) == 0;
}

/* Is it a chain that the device's aliases can hang on? */
static bool is_for_device(STACK_OF(X509) * chain, EVP_PKEY *key, const struct dice_facts *facts)
{
	X509 *cert = sk_X509_value(chain, 0);

	if (!cert || X509_check_private_key(cert, key) != 1)
		return false;
	return X509_check_ca(cert) == 1 && X509_get_pathlen(cert) == DEVICE_PATH &&
	       X509_get_key_usage(cert) & KU_KEY_CERT_SIGN &&
	       X509_get_ext_by_NID(cert, NID_subject_key_identifier, -1) >= 0 &&
	       names_board(cert, facts) && hsm_dice_one_strength(chain) && is_path(chain);
}

static STACK_OF(X509) * load_installed(struct state *state, const struct dice_facts *facts,
				       unsigned int algorithm, EVP_PKEY *key)
{
	uint8_t *der = malloc(BOARD_DEVICE_CHAIN_MAX);
	STACK_OF(X509) *chain = NULL;
	char name[ITEM_NAME_MAX];
	size_t length = 0;
	int ret = der ? state_enter(state) : -ENOMEM;

	if (!ret) {
		item_name(algorithm, name);
		ret = nvm_item_get(state->nvm, name, der, BOARD_DEVICE_CHAIN_MAX, &length);
		state_leave(state);
	}
	if (!ret && length)
		chain = read_certificates(keys_libctx(state->keys), der, length);
	/* Not protected in the database, and need not be: what is not for our key is nobody's. */
	if (length && (!chain || !is_for_device(chain, key, facts))) {
		board_log("%s: not for this device, a self-signed one is used", name);
		sk_X509_pop_free(chain, X509_free);
		chain = NULL;
	}
	ERR_clear_error();
	free(der);
	return chain;
}

/* ---- the device's layer ---- */

static STACK_OF(X509) *
	self_signed(OSSL_LIB_CTX *libctx, const struct dice_facts *facts, EVP_PKEY *key)
{
	struct hsm_dice_device device = { .serial = facts->serial };
	STACK_OF(X509) *chain = sk_X509_new_null();
	X509 *cert;

	memcpy(device.board_id, facts->board_id, sizeof(device.board_id));
	cert = chain ? hsm_dice_device_certificate(libctx, &device, key) : NULL;
	if (cert && sk_X509_push(chain, cert))
		return chain;
	X509_free(cert);
	sk_X509_free(chain);
	return NULL;
}

/* The device's keys and certificates, as the fuses have them now. Under dice.lock */
static int make_device(struct state *state, const struct dice_facts *facts)
{
	OSSL_LIB_CTX *libctx = keys_libctx(state->keys);
	struct dice *dice = state->dice;
	unsigned int i;
	int ret;

	if (dice->ready && CRYPTO_memcmp(dice->secret, facts->secret, HSM_CDI_SIZE) == 0)
		return 0;
	forget(dice);
	ret = hsm_dice_keys_derive(libctx, facts->secret, &dice->keys);
	for (i = 0; !ret && i < HSM_DICE_ALGORITHMS; i++) {
		if (!dice->keys.key[i])
			continue;
		dice->chain[i] = load_installed(state, facts, i, dice->keys.key[i]);
		if (!dice->chain[i])
			dice->chain[i] = self_signed(libctx, facts, dice->keys.key[i]);
		if (!dice->chain[i])
			ret = -EIO;
	}
	if (ret) {
		forget(dice);
		return ret;
	}
	memcpy(dice->secret, facts->secret, sizeof(dice->secret));
	dice->ready = true;
	return 0;
}

/* ---- aliases ---- */

static void fill_tcb(const struct dice_facts *facts, const struct bundle *bundle, uint32_t function,
		     struct hsm_tcb_info *tcb)
{
	*tcb = (struct hsm_tcb_info){
		.vendor = "Integrated HSM",
		.model = "vhsm",
		.security_version = bundle->security_version,
		.function = function,
		.lifecycle = facts->lifecycle,
		.debug = facts->debug,
		.approved = bundle->approved,
		.rollback_protected = facts->apart,
	};
	snprintf(tcb->version, sizeof(tcb->version), "%s", bundle->version);
	memcpy(tcb->measurement, bundle->measurement, sizeof(tcb->measurement));
}

/* CDI_1 of what runs, then the function's: two functions have no alias in common. */
static int derive_function(OSSL_LIB_CTX *libctx, const struct dice_facts *facts,
			   const struct hsm_tcb_info *tcb, uint8_t cdi[HSM_CDI_SIZE])
{
	uint8_t info[INFO_MAX], *at = info, firmware[HSM_CDI_SIZE];
	int ret;

	put_bytes(&at, tcb->measurement, sizeof(tcb->measurement));
	put_u32(&at, tcb->security_version);
	put_u32(&at, tcb->lifecycle);
	put_u32(&at, tcb->debug);
	put_u32(&at, tcb->approved);
	ret = hsm_dice_derive(libctx, facts->secret, "ihsm dice firmware", info,
			      (size_t)(at - info), firmware);
	at = info;
	put_u32(&at, tcb->function);
	if (!ret)
		ret = hsm_dice_derive(libctx, firmware, "ihsm dice function", info,
				      (size_t)(at - info), cdi);
	OPENSSL_cleanse(firmware, sizeof(firmware));
	return ret;
}

static int put_certificate(X509 *cert, uint8_t **at, const uint8_t *end)
{
	int length = i2d_X509(cert, NULL);

	if (length <= 0 || length > end - *at)
		return -EMSGSIZE;
	return i2d_X509(cert, at) == length ? 0 : -EIO;
}

/* struct board_chain and certificates of one algorithm. Under dice.lock */
static int put_chain(struct state *state, unsigned int algorithm, EVP_PKEY *alias,
		     const struct hsm_tcb_info *tcb, const uint8_t *id, uint8_t **at,
		     const uint8_t *end)
{
	struct dice *dice = state->dice;
	STACK_OF(X509) *above = dice->chain[algorithm];
	struct board_chain head = { .algorithm = algorithm };
	uint8_t *start = *at;
	X509 *cert;
	int i, ret;

	if ((size_t)(end - start) < sizeof(head))
		return -EMSGSIZE;
	*at += sizeof(head);
	cert = hsm_dice_alias_certificate(keys_libctx(state->keys), sk_X509_value(above, 0),
					  dice->keys.key[algorithm], alias, tcb, id);
	ret = cert ? put_certificate(cert, at, end) : -EIO;
	X509_free(cert);
	for (i = 0; !ret && i < sk_X509_num(above); i++)
		ret = put_certificate(sk_X509_value(above, i), at, end);
	head.length = (uint32_t)(*at - start - (ptrdiff_t)sizeof(head));
	memcpy(start, &head, sizeof(head));
	return ret;
}

static bool is_own(struct state *state, uint32_t function, const uint8_t id[PARTITION_ID_SIZE])
{
	bool own;

	if (state_enter(state))
		return false;
	own = state_own_entry(state, function, id) != NULL;
	state_leave(state);
	return own;
}

int dice_alias(struct state *state, const struct bundle *bundle, uint32_t function,
	       const uint8_t id[PARTITION_ID_SIZE], uint8_t *reply, size_t capacity, size_t *length)
{
	OSSL_LIB_CTX *libctx = keys_libctx(state->keys);
	uint8_t *at = reply + sizeof(struct board_alias);
	struct hsm_dice_keys keys = { 0 };
	struct board_alias alias = { 0 };
	struct dice_facts facts;
	struct hsm_tcb_info tcb;
	unsigned int i;
	int ret;

	if (!is_own(state, function, id))
		return -ENOENT;
	ret = get_facts(state, &facts);
	if (ret)
		return ret;
	fill_tcb(&facts, bundle, function, &tcb);
	pthread_mutex_lock(&state->dice->lock);
	ret = make_device(state, &facts);
	if (!ret)
		ret = derive_function(libctx, &facts, &tcb, alias.cdi);
	if (!ret)
		ret = hsm_dice_keys_derive(libctx, alias.cdi, &keys);
	for (i = 0; !ret && i < HSM_DICE_ALGORITHMS; i++)
		if (keys.key[i])
			ret = put_chain(state, i, keys.key[i], &tcb, id, &at, reply + capacity);
	pthread_mutex_unlock(&state->dice->lock);
	if (!ret) {
		memcpy(reply, &alias, sizeof(alias));
		*length = (size_t)(at - reply);
	}
	hsm_dice_keys_free(&keys);
	OPENSSL_cleanse(&alias, sizeof(alias));
	OPENSSL_cleanse(&facts, sizeof(facts));
	return ret;
}

/* ---- provisioning ---- */

static int encode_request(struct state *state, const struct dice_facts *facts, EVP_PKEY *key,
			  uint8_t *der, size_t capacity, size_t *length)
{
	struct hsm_dice_device device = { .serial = facts->serial };
	X509_REQ *request;
	int n, ret = -EIO;

	memcpy(device.board_id, facts->board_id, sizeof(device.board_id));
	request = hsm_dice_device_request(keys_libctx(state->keys), &device, key);
	n = request ? i2d_X509_REQ(request, NULL) : -1;
	if (n > 0 && (size_t)n > capacity)
		ret = -EMSGSIZE;
	else if (n > 0 && i2d_X509_REQ(request, &der) == n)
		ret = 0;
	if (!ret)
		*length = (size_t)n;
	X509_REQ_free(request);
	return ret;
}

int dice_request(struct state *state, uint32_t algorithm, uint8_t *der, size_t capacity,
		 size_t *length)
{
	struct dice *dice = state->dice;
	struct dice_facts facts;
	int ret;

	if (algorithm >= HSM_DICE_ALGORITHMS)
		return -EINVAL;
	ret = get_facts(state, &facts);
	if (ret)
		return ret;
	pthread_mutex_lock(&dice->lock);
	ret = make_device(state, &facts);
	if (!ret && !dice->keys.key[algorithm])
		ret = -EOPNOTSUPP;
	if (!ret)
		ret = encode_request(state, &facts, dice->keys.key[algorithm], der, capacity,
				     length);
	pthread_mutex_unlock(&dice->lock);
	OPENSSL_cleanse(&facts, sizeof(facts));
	return ret;
}

struct installation {
	unsigned int algorithm;
	const uint8_t *der;
	size_t length;
};

static int write_installed(struct nvm *nvm, void *data)
{
	const struct installation *what = data;
	char name[ITEM_NAME_MAX];

	item_name(what->algorithm, name);
	return nvm_item_set(nvm, name, what->der, what->length);
}

static int store(struct state *state, unsigned int algorithm, const uint8_t *der, size_t length)
{
	const struct board_event event = { .event = HSM_AUDIT_CERTIFICATE_INSTALLED,
					   .number = algorithm };
	struct installation what = { algorithm, der, length };
	int ret = state_enter(state);

	if (ret)
		return ret;
	events_add(&state_draft(state)->events, &event);
	ret = state_keep(state, write_installed, &what);
	state_leave(state);
	return ret;
}

/* Under dice.lock */
static int install(struct state *state, const struct dice_facts *facts, unsigned int algorithm,
		   const uint8_t *der, size_t length)
{
	EVP_PKEY *key = state->dice->keys.key[algorithm];
	STACK_OF(X509) *chain = NULL;
	int ret = -EKEYREJECTED;

	if (!key)
		return -EOPNOTSUPP;
	if (length)
		chain = read_certificates(keys_libctx(state->keys), der, length);
	if (!length || (chain && is_for_device(chain, key, facts)))
		ret = store(state, algorithm, der, length);
	if (!ret)
		forget(state->dice); /* read anew with the next request */
	sk_X509_pop_free(chain, X509_free);
	ERR_clear_error();
	return ret;
}

int dice_install(struct state *state, uint32_t algorithm, const uint8_t *der, size_t length)
{
	struct dice_facts facts;
	int ret;

	if (algorithm >= HSM_DICE_ALGORITHMS || length > BOARD_DEVICE_CHAIN_MAX)
		return -EINVAL;
	ret = get_facts(state, &facts);
	if (ret)
		return ret;
	pthread_mutex_lock(&state->dice->lock);
	ret = make_device(state, &facts);
	if (!ret)
		ret = install(state, &facts, algorithm, der, length);
	pthread_mutex_unlock(&state->dice->lock);
	OPENSSL_cleanse(&facts, sizeof(facts));
	return ret;
}
