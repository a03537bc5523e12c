// SPDX-License-Identifier: Apache-2.0
/*
 * The alias keys of this process: derived from the secret that the board gives this function, in each of its
 * partitions certified by the board, and used to sign what the process says. Nothing of it is stored.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include "attest_keys.h"
#include "migrate.h"

#define TYPE_MAX 64

/**
 * struct attest_chains - certificates of one partition, the alias's first
 * @chain: by algorithm, NULL: there is none
 * @tcb: what they say
 * @stale: the board has others now
 * @former: those that were in force before: somebody may still be reading them
 */
struct attest_chains {
	STACK_OF(X509) * chain[HSM_DICE_ALGORITHMS];
	struct hsm_tcb_info tcb;
	bool stale;
	struct attest_chains *former;
};

/* One process serves one function, so there is one pair of aliases. Under @lock, also while the board is asked. */
static struct {
	pthread_mutex_t lock;
	bool derived;
	struct hsm_dice_keys keys;
} aliases = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- what the board gives ---- */

/* The certificates of one algorithm: DER, one behind the other */
static STACK_OF(X509) * read_certificates(const uint8_t *der, size_t length)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	const uint8_t *end = der + length;
	X509 *cert;

	while (chain && der < end) {
		cert = X509_new_ex(mech_libctx(), NULL);
		if (cert && d2i_X509(&cert, &der, end - der) && sk_X509_push(chain, cert))
			continue;
		X509_free(cert);
		sk_X509_pop_free(chain, X509_free);
		chain = NULL;
	}
	return chain;
}

static int derive(const uint8_t cdi[BOARD_KEY_SIZE])
{
	int ret;

	if (aliases.derived)
		return 0;
	ret = hsm_dice_keys_derive(mech_libctx(), cdi, &aliases.keys);
	aliases.derived = !ret;
	return ret;
}

/* The certificate is for our key, so that nothing is signed that nobody could verify. */
static int take_chain(struct attest_chains *chains, const struct board_chain *head,
		      const uint8_t *der)
{
	STACK_OF(X509) * chain;

	if (head->algorithm >= HSM_DICE_ALGORITHMS || chains->chain[head->algorithm])
		return -EPROTO;
	/* The board's libcrypto has it, ours may not: in approved mode they are two. */
	if (!aliases.keys.key[head->algorithm])
		return 0;
	chain = read_certificates(der, head->length);
	chains->chain[head->algorithm] = chain;
	if (!chain || sk_X509_num(chain) < 2 ||
	    X509_check_private_key(sk_X509_value(chain, 0), aliases.keys.key[head->algorithm]) != 1)
		return -EPROTO;
	return 0;
}

static int take_chains(struct attest_chains *chains, const uint8_t *at, size_t length)
{
	struct board_chain head;
	int ret = 0;

	while (!ret && length) {
		if (length < sizeof(head))
			return -EPROTO;
		memcpy(&head, at, sizeof(head));
		at += sizeof(head);
		length -= sizeof(head);
		if (head.length > length)
			return -EPROTO;
		ret = take_chain(chains, &head, at);
		at += head.length;
		length -= head.length;
	}
	if (!ret && !chains->chain[HSM_DICE_P384])
		ret = -EPROTO;
	if (!ret)
		ret = hsm_tcb_info_find(sk_X509_value(chains->chain[HSM_DICE_P384], 0),
					&chains->tcb);
	return ret;
}

/* Ask the board for secret and certificates. */
static int ask(const uint8_t partition[PARTITION_ID_SIZE], struct attest_chains *chains)
{
	const struct iovec part = { .iov_base = (void *)partition, .iov_len = PARTITION_ID_SIZE };
	uint8_t *reply = OPENSSL_malloc(BOARD_MESSAGE_MAX);
	struct board_alias alias;
	size_t length;
	int ret;

	if (!reply)
		return -ENOMEM;
	ret = storage_call(BOARD_ALIAS, &part, 1, reply, BOARD_MESSAGE_MAX, &length);
	if (!ret && length < sizeof(alias))
		ret = -EPROTO;
	if (!ret) {
		memcpy(&alias, reply, sizeof(alias));
		ret = derive(alias.cdi);
		OPENSSL_cleanse(&alias, sizeof(alias));
	}
	if (!ret)
		ret = take_chains(chains, reply + sizeof(alias), length - sizeof(alias));
	OPENSSL_clear_free(reply, BOARD_MESSAGE_MAX);
	return ret;
}

/* The partition's certificates, made when first needed. They stay until its end. */
static int get_chains(struct partition *partition, const struct attest_chains **chains)
{
	struct attest_chains *new;
	int ret = 0;

	pthread_mutex_lock(&aliases.lock);
	if (!partition->chains || partition->chains->stale) {
		new = OPENSSL_zalloc(sizeof(*new));
		ret = new ? ask(partition->info.id, new) : -ENOMEM;
		if (ret) {
			attest_forget(new);
		} else {
			new->former = partition->chains;
			partition->chains = new;
		}
	}
	*chains = partition->chains;
	pthread_mutex_unlock(&aliases.lock);
	if (ret)
		fprintf(stderr, "partition \"%s\": no certificates from the board: %s\n",
			partition->info.name, strerror(-ret));
	return ret;
}

void attest_forget(struct attest_chains *chains)
{
	struct attest_chains *former;

	for (; chains; chains = former) {
		former = chains->former;
		for (unsigned int i = 0; i < HSM_DICE_ALGORITHMS; i++)
			sk_X509_pop_free(chains->chain[i], X509_free);
		OPENSSL_free(chains);
	}
}

void attest_renew(struct partition *partition)
{
	pthread_mutex_lock(&aliases.lock);
	if (partition->chains)
		partition->chains->stale = true;
	pthread_mutex_unlock(&aliases.lock);
}

void attest_stop(void)
{
	hsm_dice_keys_free(&aliases.keys);
	aliases.derived = false;
}

/* ---- what others ask for ---- */

int attest_chain(struct partition *partition, enum hsm_dice_algorithm algorithm,
		 STACK_OF(X509) * *chain)
{
	const struct attest_chains *chains;
	int ret = get_chains(partition, &chains);

	if (ret)
		return ret;
	if (!chains->chain[algorithm])
		return -ENOENT;
	*chain = X509_chain_up_ref(chains->chain[algorithm]);
	return *chain ? 0 : -ENOMEM;
}

int attest_tcb(struct partition *partition, struct hsm_tcb_info *tcb)
{
	const struct attest_chains *chains;
	int ret = get_chains(partition, &chains);

	if (!ret)
		*tcb = chains->tcb;
	return ret;
}

/* A place that is to be filled from elsewhere has a key of its own until it is, which nobody should remember. */
static const char *unit_of(const struct partition *partition)
{
	switch (migrate_phase(partition)) {
	case HSM_MIGRATION_PHASE_WAITING:
	case HSM_MIGRATION_PHASE_IMPORTING:
		return HSM_DICE_PASSING;
	default:
		return NULL;
	}
}

int attest_certify(struct partition *partition, EVP_PKEY *identity, X509 **cert)
{
	const struct attest_chains *chains;
	int ret = get_chains(partition, &chains);

	if (ret)
		return ret;
	*cert = hsm_dice_partition_certificate(mech_libctx(),
					       sk_X509_value(chains->chain[HSM_DICE_P384], 0),
					       aliases.keys.key[HSM_DICE_P384], identity,
					       partition->info.id, unit_of(partition));
	return *cert ? 0 : -EIO;
}

int attest_sign(struct partition *partition, const char *kind, const uint8_t *payload,
		size_t length, const uint8_t *aad, size_t aad_length, uint8_t **message,
		size_t *message_length)
{
	struct hsm_cose_signer signers[HSM_DICE_ALGORITHMS] = { 0 };
	const struct attest_chains *chains;
	size_t count = 0;
	char type[TYPE_MAX];
	unsigned int i;
	int ret;

	if (snprintf(type, sizeof(type), "application/vnd.ihsm.%s+cbor", kind) >= TYPE_MAX)
		return -EINVAL;
	ret = get_chains(partition, &chains);
	if (ret)
		return ret;
	for (i = 0; i < HSM_DICE_ALGORITHMS; i++) {
		if (!chains->chain[i])
			continue;
		signers[count].key = aliases.keys.key[i];
		signers[count++].chain = chains->chain[i];
	}
	return hsm_cose_sign(mech_libctx(), signers, count, type, payload, length, aad, aad_length,
			     message, message_length);
}
