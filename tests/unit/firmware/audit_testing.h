/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests that look into a partition's audit log: all of its records, and how often an event is among them.
 */
#ifndef AUDIT_TESTING_H
#define AUDIT_TESTING_H

#include "commands_testing.h"
#include "audit_log.h"

#define RECORDS_MAX 4096

/* All records that there are, decoded; the text of each is in @text */
struct records {
	uint8_t bytes[65536];
	size_t length;
	uint64_t first;
	size_t count;
	struct hsm_audit_record record[RECORDS_MAX];
	char text[RECORDS_MAX][512];
};

static struct records all;

MAYBE static void read_all(struct partition *partition)
{
	struct hsm_audit_chain chain = { 0 };
	uint8_t base[HSM_AUDIT_HASH];
	size_t at = 0, used;
	long length;

	pthread_mutex_lock(&partition->commit_lock);
	length = audit_read(partition, 1, all.bytes, sizeof(all.bytes), &all.first, base);
	pthread_mutex_unlock(&partition->commit_lock);
	assert_true(length >= 0);
	memcpy(chain.head, base, sizeof(base));
	chain.sequence = all.first - 1;
	for (all.count = 0; at < (size_t)length; at += used) {
		assert_true(all.count < RECORDS_MAX);
		assert_int_equal(hsm_audit_decode(all.bytes + at, length - at, &used,
						  all.text[all.count], &all.record[all.count]),
				 0);
		assert_int_equal(hsm_audit_extend(&chain, audit_sha384(), all.bytes + at, used), 0);
		assert_int_equal(all.record[all.count++].sequence, chain.sequence);
	}
	/* Where all fitted, the chain ends where the header says. */
	if (chain.sequence == partition->state.audit.chain.sequence)
		assert_memory_equal(chain.head, partition->state.audit.chain.head, HSM_AUDIT_HASH);
}

MAYBE static struct partition *first_partition(void)
{
	struct partition *partition = partition_find(board.partition[0].info.id);

	assert_non_null(partition);
	return partition;
}

/* What was only counted becomes records, which are read. */
MAYBE static void flush(struct partition *partition)
{
	struct partition_state next;

	pthread_mutex_lock(&partition->commit_lock);
	next = partition->state;
	assert_int_equal(audit_flush(partition, &next), CKR_OK);
	assert_int_equal(store_commit(partition, &next, NULL, 0, false), CKR_OK);
	pthread_mutex_unlock(&partition->commit_lock);
	read_all(partition);
}

MAYBE static uint64_t sum_events(enum hsm_audit_event event)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < all.count; i++)
		if (all.record[i].event == event)
			sum += all.record[i].count ? all.record[i].count : 1;
	return sum;
}

MAYBE static size_t count_events(enum hsm_audit_event event)
{
	size_t i, count = 0;

	for (i = 0; i < all.count; i++)
		count += all.record[i].event == event;
	return count;
}

#endif /* AUDIT_TESTING_H */
