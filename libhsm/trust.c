// SPDX-License-Identifier: Apache-2.0
/*
 * The check of a device's identity. libssl proves that the peer has the certificate's key; here
 * it is decided whether this is the key of the partition that was asked for. Rules:
 * Documentation/libhsm.rst, "Trust".
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <openssl/provider.h>
#include <openssl/x509v3.h>
#include <hsm/seal.h>
#include "trust.h"

/* A device in approved mode has neither of the first two. */
#define GROUPS_NEW    "X25519MLKEM768:X25519:SecP256r1MLKEM768:P-384"
#define GROUPS_OLD    "X25519:P-384"
#define KEY_TEXT_SIZE (UUID_TEXT_SIZE + 1 + 2 * 16 + 1)

/* ---- whom hsm.conf believes ---- */

static int find_pin(const struct conf_section *section, const uint8_t *partition,
		    const uint8_t *hash)
{
	int answer = PIN_UNKNOWN;

	for (const struct conf_pin *pin = section ? section->pins : NULL; pin; pin = pin->next) {
		if (memcmp(pin->partition, partition, HSM_PARTITION_ID_SIZE))
			continue;
		if (CRYPTO_memcmp(pin->hash, hash, CONF_PIN_SIZE) == 0)
			return PIN_MATCH;
		answer = PIN_MISMATCH;
	}
	return answer;
}

/*
 * What the device's own section says of a partition comes before the one for all. @alone: a pin of the own section,
 * which names no roots, decides without a chain.
 */
static int configured_pin(struct trust *trust, const uint8_t *partition, const uint8_t *hash,
			  bool *alone)
{
	int answer = find_pin(trust->section, partition, hash);

	*alone = answer != PIN_UNKNOWN && !trust->section->roots;
	return answer != PIN_UNKNOWN ? answer
				     : find_pin(conf_find(&trust->conf, NULL), partition, hash);
}

/* ---- whom the user saw before ---- */

static void pin_key(const struct identity_check *check, char key[KEY_TEXT_SIZE])
{
	static const uint8_t device_partition[HSM_PARTITION_ID_SIZE];

	uuid_format(check->partition, key);
	if (memcmp(check->partition, device_partition, sizeof(device_partition)))
		return;
	/* The device partition has the same id on every board. */
	strcat(key, "@");
	hex_format(check->board_id, 16, key + strlen(key));
}

/*
 * A service may have no place of its own to remember anything in: no home, or one that is not its to write. A process
 * of its own that it sees first each time is then believed each time, as what it would remember lies with that
 * process's user as well. A place that is there and fails is another matter.
 */
static bool no_place(int answer)
{
	return answer == -EACCES || answer == -EPERM || answer == -EROFS || answer == -ENOENT ||
	       answer == -ENOTDIR;
}

/* @passing: the partition waits to be filled, and has its own identity only then: nothing to remember */
static int first_use(struct identity_check *check, const uint8_t *hash, bool passing)
{
	char path[NAME_PATH_MAX + 64];
	char key[KEY_TEXT_SIZE];
	int answer;

	pin_key(check, key);
	if (!check->may_pin)
		return set_error(
			check->error, -EKEYREJECTED, HSM_LAYER_CHANNEL,
			"nothing says who partition %s is, and only a socket of your own is believed unasked: put 'root-certificate' or 'pin' into hsm.conf",
			key);
	if (pins_path(path, sizeof(path)))
		return 0;
	answer = pins_check(path, key, hash, !passing);
	if (answer == PIN_MATCH || answer == PIN_UNKNOWN || no_place(answer))
		return 0;
	if (answer == PIN_MISMATCH)
		return set_error(
			check->error, -EKEYREJECTED, HSM_LAYER_CHANNEL,
			"partition %s has another identity than before; if that is right, remove its line from %.120s",
			key, path);
	return set_error(check->error, -EKEYREJECTED, HSM_LAYER_CHANNEL,
			 "cannot remember the identity in %.120s: %s", path,
			 strerrordesc_np(-answer));
}

/* ---- the decision ---- */

static int decide(struct identity_check *check, X509 *cert, STACK_OF(X509) * chain)
{
	struct trust *trust = check->trust;
	uint8_t *hash = check->hash;
	char id[UUID_TEXT_SIZE];
	bool alone;
	int pin;

	uuid_format(check->partition, id);
	if (!cert || !hsm_dice_names_partition(cert, check->partition))
		return set_error(check->error, -EKEYREJECTED, HSM_LAYER_CHANNEL,
				 "the device's certificate is not that of partition %s", id);
	if (hsm_dice_fingerprint(trust->libctx, X509_get0_pubkey(cert), hash))
		return set_error(check->error, -EIO, HSM_LAYER_CHANNEL,
				 "the device's certificate cannot be read");
	pin = configured_pin(trust, check->partition, hash, &alone);
	if (pin == PIN_MISMATCH)
		return set_error(check->error, -EKEYREJECTED, HSM_LAYER_CHANNEL,
				 "partition %s has another identity than %.120s says", id,
				 trust->conf.path);
	if (pin == PIN_MATCH && (alone || !trust->policy.roots))
		return 0;
	if (!trust->policy.roots)
		return first_use(check, hash, hsm_dice_is_passing(cert));
	return chain_check(check, cert, chain);
}

int trust_verify(X509_STORE_CTX *store, void *arg)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct identity_check *check = ssl ? SSL_get_app_data(ssl) : NULL;

	(void)arg;
	if (!check)
		return 0;
	check->failed = decide(check, X509_STORE_CTX_get0_cert(store),
			       X509_STORE_CTX_get0_untrusted(store));
	X509_STORE_CTX_set_error(store,
				 check->failed ? X509_V_ERR_APPLICATION_VERIFICATION : X509_V_OK);
	return check->failed ? 0 : 1;
}

int trust_attach(SSL *ssl, struct identity_check *check)
{
	return SSL_set_app_data(ssl, check) == 1 ? 0 : -ENOMEM;
}

/* ---- making it ---- */

static bool set_groups(SSL_CTX *tls)
{
	return SSL_CTX_set1_groups_list(tls, GROUPS_NEW) == 1 ||
	       SSL_CTX_set1_groups_list(tls, GROUPS_OLD) == 1;
}

/*
 * Every setting that matters is set here: libssl may have applied the system's defaults to a
 * new context.
 */
static bool set_policy(SSL_CTX *tls)
{
	SSL_CTX_set_cert_verify_callback(tls, trust_verify, NULL);
	SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_security_level(tls, 2);
	SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_clear_options(tls, SSL_OP_NO_TICKET | SSL_OP_ALLOW_NO_DHE_KEX);
	resume_watch(tls);
	return SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_max_proto_version(tls, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_ciphersuites(tls, HSM_TLS_CIPHERS) == 1 && set_groups(tls);
}

static int make_contexts(struct trust *trust, struct hsm_error *error)
{
	trust->libctx = OSSL_LIB_CTX_new();
	if (trust->libctx)
		trust->provider = OSSL_PROVIDER_load(trust->libctx, "default");
	if (trust->provider)
		trust->tls = SSL_CTX_new_ex(trust->libctx, NULL, TLS_client_method());
	if (trust->tls && set_policy(trust->tls))
		return 0;
	return set_error(
		error, -EIO, HSM_LAYER_SYSTEM,
		"libssl cannot be used: its default provider, TLS 1.3 or memory is missing");
}

/* For who wants each handshake to be a whole one; that is never less safe. */
static bool may_resume(void)
{
	const char *text = secure_getenv("HSM_CHANNEL_RESUME");

	return !text || strcmp(text, "0") != 0;
}

int trust_new(const char *device, struct trust **trust, struct hsm_error *error)
{
	struct trust *new = calloc(1, sizeof(*new));
	int err;

	if (!new)
		return set_error(error, -ENOMEM, HSM_LAYER_SYSTEM, "out of memory");
	err = conf_load(&new->conf, error);
	if (!err) {
		new->section = conf_find(&new->conf, device);
		new->resume = may_resume() ? resume_new() : NULL;
		err = make_contexts(new, error);
	}
	if (!err)
		err = chain_policy(new, error);
	if (!err)
		err = chain_client(new, error);
	if (err) {
		trust_free(new, false);
		return err;
	}
	*trust = new;
	return 0;
}

/*
 * At the end of a process libcrypto may have cleaned up before we are called: then nothing of
 * it is touched.
 */
static bool library_gone(void)
{
	return OPENSSL_init_crypto(0, NULL) != 1;
}

void trust_free(struct trust *trust, bool forked)
{
	if (!trust)
		return;
	if (!forked && !library_gone()) {
		resume_free(trust->resume);
		chain_policy_free(trust);
		SSL_CTX_free(trust->tls);
		if (trust->provider)
			OSSL_PROVIDER_unload(trust->provider);
		OSSL_LIB_CTX_free(trust->libctx);
	}
	conf_free(&trust->conf);
	free(trust);
}
