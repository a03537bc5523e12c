// SPDX-License-Identifier: Apache-2.0
/*
 * Up the ladder of security versions: after an update a partition's storage key is wrapped under the key
 * of the new version, and firmware of before has no way to it any more. Nothing else of the partition
 * changes.
 */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include "commands.h"

/* Caller holds commit_lock. The former wrapped key is back when the board has not taken the new one. */
static int climb(struct partition *partition, const struct board_ladder *ladder)
{
	uint8_t former[sizeof(partition->wrapped_key)];
	struct partition_state next = partition->state;
	CK_RV rv;
	int ret;

	memcpy(former, partition->wrapped_key, sizeof(former));
	ret = header_wrap(partition, ladder->key);
	if (ret < 0)
		return ret;
	partition->ladder = ladder->security_version;
	rv = store_commit(partition, &next, NULL, 0, true);
	partition->ladder = 0;
	OPENSSL_cleanse(&next, sizeof(next));
	if (rv == CKR_OK)
		return 0;
	memcpy(partition->wrapped_key, former, sizeof(former));
	return -EIO;
}

void ladder_climb(struct partition *partition)
{
	struct iovec part = { .iov_base = partition->info.id, .iov_len = PARTITION_ID_SIZE };
	struct board_ladder ladder;
	size_t length;
	int ret;

	if (partition->failed)
		return;
	pthread_mutex_lock(&partition->commit_lock);
	ret = storage_call(BOARD_LADDER, &part, 1, &ladder, sizeof(ladder), &length);
	if (!ret && length != sizeof(ladder))
		ret = -EPROTO;
	if (!ret)
		ret = climb(partition, &ladder);
	pthread_mutex_unlock(&partition->commit_lock);
	OPENSSL_cleanse(&ladder, sizeof(ladder));
	if (ret && ret != -EALREADY)
		store_complain(partition,
			       "its key stays under that of the former security version: %s",
			       strerror(-ret));
}
