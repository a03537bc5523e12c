// SPDX-License-Identifier: Apache-2.0
/*
 * Sessions of libssl that can be taken up again: one for each partition of a device, the newest. A session
 * is taken up with a fresh key exchange; what it saves is the certificates. It lives as long as the open device, and
 * with it hsm.conf as it was read then.
 */
#include <stdlib.h>
#include <openssl/crypto.h>
#include "trust.h"

#define SESSIONS_MAX 16

/**
 * struct resume - sessions of one device
 * @next: place that is used next when all are taken
 */
struct resume {
	pthread_mutex_t lock;
	unsigned int next;
	struct {
		SSL_SESSION *session;
		uint8_t partition[HSM_PARTITION_ID_SIZE];
		uint8_t hash[IDENTITY_HASH_SIZE];
	} slot[SESSIONS_MAX];
};

struct resume *resume_new(void)
{
	struct resume *resume = calloc(1, sizeof(*resume));

	if (resume)
		pthread_mutex_init(&resume->lock, NULL);
	return resume;
}

void resume_free(struct resume *resume)
{
	if (!resume)
		return;
	for (unsigned int i = 0; i < SESSIONS_MAX; i++)
		SSL_SESSION_free(resume->slot[i].session);
	pthread_mutex_destroy(&resume->lock);
	free(resume);
}

/* The partition's place, or SESSIONS_MAX. With the lock held */
static unsigned int find(const struct resume *resume, const uint8_t *partition)
{
	unsigned int i;

	for (i = 0; i < SESSIONS_MAX; i++)
		if (resume->slot[i].session &&
		    memcmp(resume->slot[i].partition, partition, HSM_PARTITION_ID_SIZE) == 0)
			break;
	return i;
}

/* A ticket has come. Return: 1, the session is ours now, or 0. */
static int keep(SSL *ssl, SSL_SESSION *session)
{
	const struct identity_check *check = SSL_get_app_data(ssl);
	struct resume *resume = check ? check->trust->resume : NULL;
	SSL_SESSION *former;
	unsigned int i;

	if (!resume)
		return 0;
	pthread_mutex_lock(&resume->lock);
	i = find(resume, check->partition);
	if (i == SESSIONS_MAX)
		i = resume->next++ % SESSIONS_MAX;
	former = resume->slot[i].session;
	resume->slot[i].session = session;
	memcpy(resume->slot[i].partition, check->partition, HSM_PARTITION_ID_SIZE);
	memcpy(resume->slot[i].hash, check->hash, IDENTITY_HASH_SIZE);
	pthread_mutex_unlock(&resume->lock);
	SSL_SESSION_free(former);
	return 1;
}

void resume_watch(SSL_CTX *tls)
{
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(tls, keep);
}

void resume_offer(struct identity_check *check, SSL *ssl, uint8_t hash[IDENTITY_HASH_SIZE])
{
	struct resume *resume = check->trust->resume;
	unsigned int i;

	if (!resume)
		return;
	pthread_mutex_lock(&resume->lock);
	i = find(resume, check->partition);
	if (i < SESSIONS_MAX && SSL_set_session(ssl, resume->slot[i].session) == 1)
		memcpy(hash, resume->slot[i].hash, IDENTITY_HASH_SIZE);
	pthread_mutex_unlock(&resume->lock);
}
