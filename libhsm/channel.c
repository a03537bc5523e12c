// SPDX-License-Identifier: Apache-2.0
/*
 * Channels: connecting, and keeping a working link underneath while devices are reset and keys
 * wear out.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <openssl/crypto.h>
#include "channel.h"

#define CONNECT_TRIES 3
#define TOKEN_SIZE    32

/* ---- the state of a link ---- */

static bool link_lost(struct hsm_channel *channel, struct link *link)
{
	struct transport *transport = channel->device->transport;

	return atomic_load(&link->dead) || atomic_load(&transport->lost) ||
	       atomic_load(&transport->instance) != link->instance;
}

/* Is more than @eighths of what its keys may be used for gone? */
static bool link_worn(struct hsm_channel *channel, struct link *link, unsigned int eighths)
{
	return atomic_load(&link->sequence) >= channel->max_messages / 8 * eighths ||
	       atomic_load(&link->bytes) >= channel->max_bytes / 8 * eighths;
}

/* A new link is due early when nothing is on its way, and at the latest before the limit. */
static bool replacement_due(struct hsm_channel *channel, struct link *link)
{
	if (!link_worn(channel, link, 6))
		return false;
	return atomic_load(&link->inside) == 0 || link_worn(channel, link, 7);
}

/* With the lock held: the link is gone, and with it the sessions. */
static void drop_link(struct hsm_channel *channel)
{
	if (!channel->link)
		return;
	atomic_fetch_add(&channel->generation, 1);
	atomic_store(&channel->link->dead, true);
	link_put(channel->stale);
	channel->stale = channel->link;
	channel->link = NULL;
}

/* The device still has the context that the link was made in. */
static bool context_lives(struct hsm_channel *channel, struct link *link)
{
	struct transport *transport = channel->device->transport;

	return !atomic_load(&transport->lost) &&
	       atomic_load(&transport->instance) == link->instance;
}

/* ---- making a link ---- */

/*
 * The device says that it has too many channels of ours, and we know of none: they are left over
 * from messages that were damaged on the way. A new context has none.
 */
static int start_over(struct hsm_channel *channel)
{
	struct transport *transport = channel->device->transport;

	transport->ops->abandon(transport);
	return -ECONNRESET;
}

static int establish(struct hsm_channel *channel, struct link **link, struct hsm_error *error)
{
	int err = -ECONNRESET;

	for (int i = 0; i < CONNECT_TRIES && err == -ECONNRESET; i++) {
		err = device_ready(channel->device, error);
		if (!err)
			err = link_new(channel->device, channel->partition, link, error);
		if (err == -EBUSY && atomic_load(&channel->device->links) == 0)
			err = start_over(channel);
	}
	return err;
}

/*
 * One command on a given link, outside of channel_enter(): for the library's own use. Return: 0
 * when answered CKR_OK.
 */
static int command(struct hsm_request *request, struct link *link, struct hsm_error *error)
{
	int err;

	atomic_fetch_add(&link->refs, 1);
	atomic_fetch_add(&link->inside, 1);
	err = request_start(request, link, error);
	if (!err)
		err = request_finish(request, error);
	if (err)
		return err;
	return request->rv ? set_error(error, -ECONNRESET, HSM_LAYER_CHANNEL,
				       "the device refused to renew the channel")
			   : 0;
}

/* The device drops the channel and its sessions at once, not only with the context. */
static void close_in_device(struct hsm_channel *channel, struct link *link)
{
	struct hsm_request *request;

	if (!link || !context_lives(channel, link))
		return;
	request = request_get(channel, hsm_operation_find(HSM_OP_CHANNEL_CLOSE), 0);
	if (!request)
		return;
	command(request, link, NULL);
	hsm_request_free(request);
}

static int ask_token(struct hsm_channel *channel, struct link *link, uint8_t token[TOKEN_SIZE],
		     struct hsm_error *error)
{
	struct hsm_request *request =
		request_get(channel, hsm_operation_find(HSM_OP_CHANNEL_OFFER), 0);
	const uint8_t *data;
	size_t length = 0;
	int err;

	if (!request)
		return set_error(error, -ENOMEM, HSM_LAYER_SYSTEM, "out of memory");
	err = command(request, link, error);
	data = err ? NULL : hsm_fields_bytes(&request->fields, HSM_FIELD_TOKEN, &length);
	if (data && length == TOKEN_SIZE)
		memcpy(token, data, TOKEN_SIZE);
	else if (!err)
		err = set_error(error, -EPROTO, HSM_LAYER_CHANNEL,
				"the device refused to renew the channel");
	hsm_request_free(request);
	return err;
}

static int give_token(struct hsm_channel *channel, struct link *link,
		      const uint8_t token[TOKEN_SIZE], struct hsm_error *error)
{
	struct hsm_request *request =
		request_get(channel, hsm_operation_find(HSM_OP_CHANNEL_TAKE), 0);
	int err;

	if (!request)
		return set_error(error, -ENOMEM, HSM_LAYER_SYSTEM, "out of memory");
	hsm_put_bytes(&request->writer, HSM_FIELD_TOKEN, token, TOKEN_SIZE);
	err = command(request, link, error);
	hsm_request_free(request);
	return err;
}

/*
 * Wait until nothing sealed with the link is on its way. Whoever waits for an answer may be
 * busy: hand out for all.
 */
static void settle(struct hsm_channel *channel, struct link *link)
{
	struct transport *transport = channel->device->transport;
	struct timespec pause = { .tv_nsec = 50000 };

	while (atomic_load(&link->inside) > 0 && !link_lost(channel, link)) {
		transport->ops->poll(transport);
		if (atomic_load(&link->inside) > 0)
			nanosleep(&pause, NULL);
	}
}

/* The planned replacement: a second channel in the same context takes over sessions and logins. */
static int succeed(struct hsm_channel *channel, struct link *old, struct link **new,
		   struct hsm_error *error)
{
	uint8_t token[TOKEN_SIZE];
	int err;

	settle(channel, old);
	err = ask_token(channel, old, token, error);
	if (err)
		return err;
	err = link_new(channel->device, channel->partition, new, error);
	if (!err)
		err = give_token(channel, *new, token, error);
	OPENSSL_cleanse(token, sizeof(token));
	if (err && *new) {
		close_in_device(channel, *new);
		link_put(*new);
		*new = NULL;
	}
	return err;
}

/*
 * Make a link in the place of none, or of one that is worn out. Called and left with the lock
 * held; others wait meanwhile. Replacing a worn link that fails is a loss like any other.
 */
static int replace(struct hsm_channel *channel, struct hsm_error *error)
{
	struct link *old = channel->link;
	struct link *stale = channel->stale;
	struct link *new = NULL;
	int err;

	channel->replacing = true;
	channel->stale = NULL;
	pthread_mutex_unlock(&channel->lock);
	close_in_device(channel, stale);
	link_put(stale);
	err = old ? succeed(channel, old, &new, error) : establish(channel, &new, error);
	pthread_mutex_lock(&channel->lock);
	channel->replacing = false;
	if (old && err) {
		drop_link(channel);
		err = 0;
	} else if (!err) {
		if (old)
			atomic_store(&old->dead, true);
		link_put(old);
		channel->link = new;
	}
	pthread_cond_broadcast(&channel->changed);
	return err;
}

/* ---- entering ---- */

static int check_session(struct hsm_channel *channel, struct hsm_request *request,
			 struct hsm_error *error)
{
	if (!request->session || request->generation == atomic_load(&channel->generation))
		return 0;
	return set_error(error, -ECONNRESET, HSM_LAYER_CHANNEL,
			 "the session was lost with its channel; open it and log in again");
}

int channel_enter(struct hsm_channel *channel, struct hsm_request *request, struct link **link,
		  struct hsm_error *error)
{
	int err = 0;

	pthread_mutex_lock(&channel->lock);
	while (!err) {
		if (channel->replacing) {
			pthread_cond_wait(&channel->changed, &channel->lock);
			continue;
		}
		if (channel->link && link_lost(channel, channel->link))
			drop_link(channel);
		err = check_session(channel, request, error);
		if (err)
			break;
		if (channel->link && !replacement_due(channel, channel->link))
			break;
		err = replace(channel, error);
	}
	if (!err) {
		*link = channel->link;
		atomic_fetch_add_explicit(&(*link)->refs, 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&(*link)->inside, 1, memory_order_relaxed);
	}
	pthread_mutex_unlock(&channel->lock);
	return err;
}

/* ---- connecting ---- */

/* Limits can be lowered, never raised: a test sees many replacements in a short time. */
static uint64_t limit_from(const char *variable, uint64_t limit)
{
	const char *text = secure_getenv(variable);
	uint64_t value = text && *text ? strtoull(text, NULL, 10) : 0;

	return value >= 64 && value < limit ? value : limit;
}

static struct hsm_channel *make_channel(struct hsm_device *device, const uint8_t *partition)
{
	struct hsm_channel *channel = calloc(1, sizeof(*channel));

	if (!channel)
		return NULL;
	channel->device = device;
	memcpy(channel->partition, partition, sizeof(channel->partition));
	pthread_mutex_init(&channel->lock, NULL);
	pthread_mutex_init(&channel->pool_lock, NULL);
	pthread_cond_init(&channel->changed, NULL);
	channel->max_messages = limit_from("HSM_CHANNEL_MESSAGES", LINK_MESSAGES_MAX);
	channel->max_bytes = limit_from("HSM_CHANNEL_BYTES", LINK_BYTES_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(channel->spin); i++)
		atomic_store(&channel->spin[i], UINT32_MAX);
	return channel;
}

static void free_channel(struct hsm_channel *channel, bool forked)
{
	link_put(channel->link);
	link_put(channel->stale);
	request_pool_free(channel);
	if (!forked) {
		pthread_mutex_destroy(&channel->lock);
		pthread_mutex_destroy(&channel->pool_lock);
		pthread_cond_destroy(&channel->changed);
	}
	free(channel);
}

int hsm_connect(struct hsm_device *device, const uint8_t partition[HSM_PARTITION_ID_SIZE],
		struct hsm_channel **channel, struct hsm_error *error)
{
	struct hsm_channel *new;
	int err;

	clear_error(error);
	*channel = NULL;
	if (guard_forked(&device->guard))
		return set_error(
			error, -ECHILD, HSM_LAYER_SYSTEM,
			"this process is a fork of the one that opened the device; open it anew");
	new = make_channel(device, partition);
	if (!new)
		return set_error(error, -ENOMEM, HSM_LAYER_SYSTEM, "out of memory");
	err = establish(new, &new->link, error);
	if (err) {
		free_channel(new, false);
		return err;
	}
	*channel = new;
	return 0;
}

void hsm_disconnect(struct hsm_channel *channel)
{
	bool forked;

	if (!channel)
		return;
	forked = guard_forked(&channel->device->guard);
	if (!forked) {
		close_in_device(channel, channel->stale);
		close_in_device(channel, channel->link);
	}
	free_channel(channel, forked);
}

unsigned int hsm_channel_generation(struct hsm_channel *channel)
{
	return atomic_load(&channel->generation);
}

int hsm_channel_identity(struct hsm_channel *channel, uint8_t identity[HSM_IDENTITY_SIZE])
{
	int err = -ECONNRESET;

	pthread_mutex_lock(&channel->lock);
	if (channel->link) {
		memcpy(identity, channel->link->identity, HSM_IDENTITY_SIZE);
		err = 0;
	}
	pthread_mutex_unlock(&channel->lock);
	return err;
}
