// SPDX-License-Identifier: Apache-2.0
/*
 * hsm-bench's handshake without a device: libssl with itself over memory BIOs, with certificates as a
 * device has them, what a channel's set-up is to be compared with.
 */
#include <errno.h>
#include <stdlib.h>
#include <openssl/ssl.h>
#include <hsm/dice.h>
#include <hsm/seal.h>
#include "hsm-bench.h"

struct handshake {
	SSL_CTX *client;
	SSL_CTX *server;
	SSL_SESSION *session;
	bool resume;
};

static const uint8_t partition[HSM_DICE_ID_SIZE] = { 1 };

/* The server shows partition, alias and device; the client believes the device. */
static bool make_chain(struct handshake *h)
{
	const uint8_t secrets[2][HSM_CDI_SIZE] = { { 1 }, { 2 } };
	const struct hsm_dice_device named = { .serial = "BENCH" };
	const struct hsm_tcb_info tcb = { .lifecycle = HSM_LIFECYCLE_DEVELOPMENT };
	EVP_PKEY *identity = EVP_EC_gen("P-384");
	STACK_OF(X509) *above = sk_X509_new_null();
	struct hsm_dice_keys keys[2] = { 0 };
	X509 *device = NULL, *alias = NULL, *leaf = NULL;
	X509_STORE *roots = hsm_dice_store();
	bool made = false;

	if (identity && above && roots && !hsm_dice_keys_derive(NULL, secrets[0], &keys[0]) &&
	    !hsm_dice_keys_derive(NULL, secrets[1], &keys[1]))
		device = hsm_dice_device_certificate(NULL, &named, keys[0].key[HSM_DICE_P384]);
	if (device)
		alias = hsm_dice_alias_certificate(NULL, device, keys[0].key[HSM_DICE_P384],
						   keys[1].key[HSM_DICE_P384], &tcb, partition);
	if (alias)
		leaf = hsm_dice_partition_certificate(NULL, alias, keys[1].key[HSM_DICE_P384],
						      identity, partition, NULL);
	if (leaf && sk_X509_push(above, alias) && sk_X509_push(above, device))
		made = SSL_CTX_use_cert_and_key(h->server, leaf, identity, above, 1) == 1 &&
		       X509_STORE_add_cert(roots, device) == 1 &&
		       SSL_CTX_set1_verify_cert_store(h->client, roots) == 1;
	X509_STORE_free(roots);
	sk_X509_free(above);
	X509_free(leaf);
	X509_free(alias);
	X509_free(device);
	hsm_dice_keys_free(&keys[0]);
	hsm_dice_keys_free(&keys[1]);
	EVP_PKEY_free(identity);
	return made;
}

static int keep(SSL *ssl, SSL_SESSION *session)
{
	struct handshake *h = SSL_get_app_data(ssl);

	SSL_SESSION_free(h->session);
	h->session = session;
	return 1;
}

static bool set_policy(SSL_CTX *tls)
{
	return SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_ciphersuites(tls, HSM_TLS_CIPHERS) == 1 &&
	       (SSL_CTX_set1_groups_list(tls, "X25519MLKEM768:X25519:P-384") == 1 ||
		SSL_CTX_set1_groups_list(tls, "X25519:P-384") == 1);
}

struct handshake *handshake_start(bool resume)
{
	struct handshake *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->resume = resume;
	h->client = SSL_CTX_new(TLS_client_method());
	h->server = SSL_CTX_new(TLS_server_method());
	if (h->client && h->server && set_policy(h->client) && set_policy(h->server) &&
	    make_chain(h)) {
		SSL_CTX_set_verify(h->client, SSL_VERIFY_PEER, NULL);
		SSL_CTX_set_num_tickets(h->server, 1);
		SSL_CTX_set_session_cache_mode(h->server, SSL_SESS_CACHE_OFF);
		SSL_CTX_set_session_cache_mode(h->client,
					       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(h->client, keep);
		/* The first one brings the ticket. */
		if (!handshake_run(h))
			return h;
	}
	handshake_stop(h);
	return NULL;
}

static void couple(SSL *client, SSL *server)
{
	BIO *there = BIO_new(BIO_s_mem()), *back = BIO_new(BIO_s_mem());

	if (there)
		BIO_up_ref(there);
	if (back)
		BIO_up_ref(back);
	SSL_set_bio(client, back, there);
	SSL_set_bio(server, there, back);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
}

/* Client, server, client, server, and the ticket */
static bool shake(SSL *client, SSL *server)
{
	char nothing;

	SSL_do_handshake(client);
	SSL_do_handshake(server);
	if (SSL_do_handshake(client) != 1 || SSL_do_handshake(server) != 1)
		return false;
	SSL_read(client, &nothing, 1);
	SSL_set_shutdown(client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	return true;
}

int handshake_run(struct handshake *h)
{
	SSL *client = SSL_new(h->client), *server = SSL_new(h->server);
	bool offered = h->resume && h->session, good = false;

	if (client && server && SSL_set_app_data(client, h) == 1) {
		couple(client, server);
		if (offered)
			SSL_set_session(client, h->session);
		good = shake(client, server) && SSL_session_reused(client) == offered;
	}
	SSL_free(client);
	SSL_free(server);
	return good ? 0 : -EIO;
}

void handshake_stop(struct handshake *h)
{
	if (!h)
		return;
	SSL_SESSION_free(h->session);
	SSL_CTX_free(h->client);
	SSL_CTX_free(h->server);
	free(h);
}
