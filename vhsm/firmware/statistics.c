// SPDX-License-Identifier: Apache-2.0
/*
 * Statistics of a partition: which kinds of commands, how many were refused, and how long they took. For whoever has
 * a channel to the partition; no tenant sees another's. So that one application cannot follow another's single
 * commands, kinds are few, times are powers of two, and an answer stands for a second.
 */
#include <endian.h>
#include <string.h>
#include "clock.h"
#include "commands.h"
#include "statistics.h"

#define KIND(operation, kind) [HSM_OP_##operation] = 1 + HSM_STATISTICS_##kind

/* Plus one; what is not here is of the kind OTHER */
static const uint8_t kinds[] = {
	KIND(SIGN, SIGN),
	KIND(SIGN_FINAL, SIGN),
	KIND(SIGN_RECOVER, SIGN),
	KIND(MESSAGE_SIGN, SIGN),
	KIND(VERIFY, VERIFY),
	KIND(VERIFY_FINAL, VERIFY),
	KIND(VERIFY_RECOVER, VERIFY),
	KIND(VERIFY_SIGNATURE, VERIFY),
	KIND(VERIFY_SIGNATURE_FINAL, VERIFY),
	KIND(MESSAGE_VERIFY, VERIFY),
	KIND(ENCRYPT, ENCRYPT),
	KIND(ENCRYPT_FINAL, ENCRYPT),
	KIND(MESSAGE_ENCRYPT, ENCRYPT),
	KIND(ENCAPSULATE, ENCRYPT),
	KIND(DECRYPT, DECRYPT),
	KIND(DECRYPT_FINAL, DECRYPT),
	KIND(MESSAGE_DECRYPT, DECRYPT),
	KIND(DECAPSULATE, DECRYPT),
	KIND(DIGEST, DIGEST),
	KIND(DIGEST_FINAL, DIGEST),
	KIND(GENERATE_KEY, KEY),
	KIND(GENERATE_PAIR, KEY),
	KIND(DERIVE, KEY),
	KIND(WRAP, KEY),
	KIND(UNWRAP, KEY),
	KIND(OBJECT_MASK, KEY),
	KIND(OBJECT_UNMASK, KEY),
	KIND(OBJECT_REMASK, KEY),
	KIND(OBJECT_CREATE, OBJECT),
	KIND(OBJECT_COPY, OBJECT),
	KIND(OBJECT_DESTROY, OBJECT),
	KIND(OBJECT_SIZE, OBJECT),
	KIND(ATTRIBUTES_GET, OBJECT),
	KIND(ATTRIBUTES_SET, OBJECT),
	KIND(FIND_INIT, OBJECT),
	KIND(FIND, OBJECT),
	KIND(RANDOM, RANDOM),
	KIND(LOGIN, LOGIN),
	KIND(PIN_SET, LOGIN),
	KIND(PIN_INIT, LOGIN),
};

void statistics_init(struct statistics *statistics)
{
	pthread_mutex_init(&statistics->lock, NULL);
}

void statistics_destroy(struct statistics *statistics)
{
	pthread_mutex_destroy(&statistics->lock);
}

static unsigned int kind_of(unsigned int operation)
{
	if (operation >= sizeof(kinds) || !kinds[operation])
		return HSM_STATISTICS_OTHER;
	return kinds[operation] - 1U;
}

static unsigned int bucket_of(uint64_t nanoseconds)
{
	unsigned int bucket = 0;

	while (bucket < HSM_STATISTICS_BUCKETS - 1 &&
	       nanoseconds > hsm_statistics_bound(bucket) * 1000)
		bucket++;
	return bucket;
}

static void add(_Atomic uint64_t *number, uint64_t more)
{
	atomic_fetch_add_explicit(number, more, memory_order_relaxed);
}

void statistics_note(struct statistics *statistics, unsigned int operation, CK_RV rv,
		     uint64_t nanoseconds)
{
	struct statistics_of *of = &statistics->kind[kind_of(operation)];

	add(&of->bucket[bucket_of(nanoseconds)], 1);
	add(&of->nanoseconds, nanoseconds);
	/* Asking for a length is answered so, and is no refusal. */
	if (rv != CKR_OK && rv != CKR_BUFFER_TOO_SMALL)
		add(&of->refused, 1);
}

static uint64_t get(const _Atomic uint64_t *number)
{
	return atomic_load_explicit(number, memory_order_relaxed);
}

static void put_kind(const struct statistics_of *of, struct hsm_statistics_of *to)
{
	uint64_t count = 0, one;

	for (unsigned int i = 0; i < HSM_STATISTICS_BUCKETS; i++) {
		one = get(&of->bucket[i]);
		to->bucket[i] = htole64(one);
		count += one;
	}
	to->count = htole64(count);
	to->refused = htole64(get(&of->refused));
	to->microseconds = htole64(get(&of->nanoseconds) / 1000);
}

static uint32_t clients_of(const struct partition *partition)
{
	uint32_t count = 0;

	for (const struct client *client = partition->clients; client; client = client->next)
		count++;
	return count;
}

static void take(struct partition *partition, struct hsm_statistics *answer)
{
	memset(answer, 0, sizeof(*answer));
	answer->since = htole64(clock_start());
	answer->at = htole64(clock_now() - clock_start());
	for (unsigned int i = 0; i < HSM_STATISTICS_KIND_COUNT; i++)
		put_kind(&partition->statistics.kind[i], &answer->kind[i]);
	pthread_mutex_lock(&partition->lock);
	answer->clients = htole32(clients_of(partition));
	answer->sessions = htole32(partition->sessions);
	answer->most_sessions = htole32(partition->info.max_sessions);
	answer->bytes = htole64(partition->token_bytes);
	answer->most_bytes = htole64(partition->info.max_bytes);
	pthread_mutex_unlock(&partition->lock);
}

CK_RV command_statistics(struct command *command)
{
	struct statistics *statistics = &command->partition->statistics;
	uint64_t now = clock_ticks();

	pthread_mutex_lock(&statistics->lock);
	if (!statistics->taken_at ||
	    now - statistics->taken_at >= HSM_STATISTICS_FRESH_MS * 1000000ULL) {
		take(command->partition, &statistics->answer);
		statistics->taken_at = now;
	}
	hsm_put_bytes(&command->out, HSM_FIELD_STATISTICS, &statistics->answer,
		      sizeof(statistics->answer));
	pthread_mutex_unlock(&statistics->lock);
	return CKR_OK;
}
