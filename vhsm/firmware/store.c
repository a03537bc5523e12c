// SPDX-License-Identifier: Apache-2.0
/*
 * What the board keeps for a partition: a header and a row for each token object (rows.c). Here all of it
 * is read and verified, and a change becomes one BOARD_COMMIT. Nobody is told that something happened
 * before that request has been answered.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include "audit_log.h"

#define COMMITS_TO_ADVANCE 1024

void store_complain(const struct partition *partition, const char *format, ...)
{
	char text[200], name[BOARD_NAME_MAX + 1];
	va_list args;
	unsigned int i;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	memcpy(name, partition->info.name, BOARD_NAME_MAX);
	name[BOARD_NAME_MAX] = 0;
	for (i = 0; name[i]; i++)
		if ((unsigned char)name[i] < ' ')
			name[i] = '?';
	fprintf(stderr, "partition \"%s\" (slot %u): %s\n", name, partition->info.slot, text);
}

/* ---- opening ---- */

/**
 * struct loading - the rows of a partition on their way in
 * @reply: what one BOARD_ROWS has brought, @length bytes; the other one is being filled
 * @after: id of the last row in it
 * @count, @audit, @sum: objects' and the audit log's rows so far, and the multiset hash of all
 */
struct loading {
	struct partition *partition;
	struct row_reader *reader;
	uint8_t *reply[2];
	size_t length;
	uint64_t after;
	uint32_t count;
	uint32_t audit;
	uint8_t sum[32];
};

/* Is the reply a list of rows in ascending order? After this it can be walked without a look. */
static int check_reply(struct loading *loading)
{
	const uint8_t *reply = loading->reply[0];
	size_t length = loading->length;
	struct board_row row;

	while (length) {
		if (length < sizeof(row))
			return -EPROTO;
		memcpy(&row, reply, sizeof(row));
		length -= sizeof(row);
		if (row.length > length || row.length > BOARD_BLOB_MAX || row.id <= loading->after)
			return -EPROTO;
		reply += sizeof(row) + row.length;
		length -= row.length;
		loading->after = row.id;
	}
	return 0;
}

static int take_audit_row(struct loading *loading, const struct board_row *row, const uint8_t *blob)
{
	int ret = audit_take_row(loading->partition, row->id, blob, row->length, loading->sum);

	if (ret < 0)
		store_complain(
			loading->partition,
			"row %llu of its audit log does not verify; put the newest state back",
			(unsigned long long)(row->id - BOARD_AUDIT_ROWS));
	loading->audit += !ret;
	return ret;
}

static int take_row(struct loading *loading, const struct board_row *row, const uint8_t *blob)
{
	struct partition *partition = loading->partition;
	struct object *object;
	int ret;

	if (row->id >= BOARD_AUDIT_ROWS)
		return take_audit_row(loading, row, blob);
	ret = row_read(loading->reader, row->id, blob, row->length, loading->sum, &object);
	if (ret < 0) {
		store_complain(partition, "object %llu does not verify; put the newest state back",
			       (unsigned long long)row->id);
		return ret;
	}
	loading->count++;
	ret = index_insert(&partition->index, object);
	if (!ret)
		partition->token_bytes += row->length;
	object_put(object);
	return ret;
}

static int take_reply(struct loading *loading)
{
	const uint8_t *reply = loading->reply[0], *end = reply + loading->length;
	struct board_row row;
	int ret = 0;

	while (reply < end && !ret) {
		memcpy(&row, reply, sizeof(row));
		ret = take_row(loading, &row, reply + sizeof(row));
		reply += sizeof(row) + row.length;
	}
	return ret;
}

static int ask_rows(struct loading *loading)
{
	struct board_rows request = { .after = loading->after };
	struct iovec part = { .iov_base = &request, .iov_len = sizeof(request) };

	memcpy(request.partition, loading->partition->info.id, PARTITION_ID_SIZE);
	return storage_begin(BOARD_ROWS, &part, 1);
}

static int get_rows(struct loading *loading)
{
	uint8_t *former = loading->reply[0];

	loading->reply[0] = loading->reply[1];
	loading->reply[1] = former;
	return storage_finish(BOARD_ROWS, loading->reply[0], BOARD_MESSAGE_MAX, &loading->length);
}

/* While rows are opened here the board already reads the next ones. */
static int load_all(struct loading *loading)
{
	int ret = ask_rows(loading), next;

	if (!ret)
		ret = get_rows(loading);
	while (!ret && loading->length) {
		ret = check_reply(loading);
		if (!ret)
			ret = ask_rows(loading);
		if (ret)
			break;
		ret = take_reply(loading);
		next = get_rows(loading);
		ret = ret ? ret : next;
	}
	return ret;
}

static int rows_verify(struct partition *partition, const struct loading *loading)
{
	const struct partition_state *state = &partition->state;

	if (loading->count == state->rows && loading->audit == audit_rows(state) &&
	    !CRYPTO_memcmp(loading->sum, state->hash, 32) && !audit_verify(partition))
		return 0;
	store_complain(partition,
		       "its objects are not those of its header; put the newest state back");
	return -EBADMSG;
}

static void highest(struct object *object, void *data)
{
	uint64_t *id = data;

	if (object->token && object->handle > *id)
		*id = object->handle;
}

/*
 * An officer has accepted these rows: each verifies by itself, and from here on they are the partition's. A number that one
 * of them has is not given again, though the header may be from before it was.
 */
static int rows_accept(struct partition *partition, const struct loading *loading)
{
	struct partition_state next;
	uint64_t last = 0;
	struct hsm_audit_record record = { .event = HSM_AUDIT_ROLLBACK_ACCEPTED,
					   .actor = "officer" };
	CK_RV rv;

	index_each(&partition->index, highest, &last);
	pthread_mutex_lock(&partition->commit_lock);
	next = partition->state;
	next.rows = loading->count;
	memcpy(next.hash, loading->sum, sizeof(next.hash));
	if (next.next_id <= last)
		next.next_id = last + 1;
	rv = audit_accept(partition, &next) < 0 ? CKR_DEVICE_ERROR
						: audit_record(partition, &next, &record);
	if (rv == CKR_OK)
		rv = store_commit(partition, &next, NULL, 0, true);
	pthread_mutex_unlock(&partition->commit_lock);
	if (rv == CKR_OK)
		store_complain(partition, "its %u objects were accepted as they are", next.rows);
	return rv == CKR_OK ? 0 : -EIO;
}

static int load_rows(struct partition *partition, uint8_t *reply, uint32_t rows, bool accept)
{
	struct loading loading = {
		.partition = partition,
		.reader = row_reader_new(partition),
		.reply = { reply, OPENSSL_malloc(BOARD_MESSAGE_MAX) },
	};
	uint8_t *other = loading.reply[1];
	int ret = -ENOMEM;

	if (rows && loading.reader && other && !index_reserve(&partition->index, rows))
		ret = load_all(&loading);
	else if (!rows)
		ret = 0;
	OPENSSL_free(other);
	row_reader_free(loading.reader);
	if (ret < 0 || !accept)
		return ret < 0 ? ret : rows_verify(partition, &loading);
	return rows_accept(partition, &loading);
}

int store_load_rows(struct partition *partition, uint32_t rows)
{
	uint8_t *reply = OPENSSL_malloc(BOARD_MESSAGE_MAX);
	int ret = reply ? load_rows(partition, reply, rows, false) : -ENOMEM;

	OPENSSL_free(reply);
	return ret;
}

static int create_header(struct partition *partition, const struct board_open *open)
{
	struct partition_state next;
	CK_RV rv;
	int ret;

	if (open->rows) {
		store_complain(partition,
			       "it has objects but no header; put the newest state back");
		return -EBADMSG;
	}
	ret = header_create(partition, open->key);
	if (ret < 0)
		return ret;
	ret = identity_create(&partition->identity, &partition->identity_length);
	if (ret < 0)
		return ret;
	next = partition->state;
	next.counter = open->counter;
	partition->state = next;
	pthread_mutex_lock(&partition->commit_lock);
	rv = store_commit(partition, &next, NULL, 0, false);
	pthread_mutex_unlock(&partition->commit_lock);
	return rv == CKR_OK ? 0 : -EIO;
}

static int check_header(struct partition *partition, const struct board_open *open,
			const uint8_t *header)
{
	int ret = header_read(partition, open->key, header, open->header_length);

	if (ret == -EPROTONOSUPPORT)
		store_complain(partition,
			       "its header has an unknown version; run the firmware that made it");
	else if (ret < 0)
		store_complain(partition, "its header does not verify; put the newest state back");
	if (ret < 0)
		return ret;
	if (partition->state.counter == open->counter ||
	    partition->state.counter == open->counter + 1)
		return 0;
	store_complain(partition, "its header is an old copy (counter %llu, expected %llu)",
		       (unsigned long long)partition->state.counter,
		       (unsigned long long)open->counter);
	return -EBADMSG;
}

static int open_with(struct partition *partition, uint8_t *reply)
{
	struct iovec part = { .iov_base = partition->info.id, .iov_len = PARTITION_ID_SIZE };
	struct board_open open;
	size_t length;
	int ret;

	ret = storage_call(BOARD_OPEN, &part, 1, reply, BOARD_MESSAGE_MAX, &length);
	if (ret < 0)
		return ret;
	if (length < sizeof(open))
		return -EPROTO;
	memcpy(&open, reply, sizeof(open));
	OPENSSL_cleanse(reply, sizeof(open));
	if (open.header_length != length - sizeof(open) ||
	    memcmp(open.partition.id, partition->info.id, PARTITION_ID_SIZE)) {
		ret = -EPROTO;
	} else {
		partition->info = open.partition;
		partition->info.name[BOARD_NAME_MAX - 1] = 0;
		partition->generation = open.generation;
		if (!open.header_length)
			ret = create_header(partition, &open);
		else
			ret = check_header(partition, &open, reply + sizeof(open));
		/* What has come of an import is not the header's yet. */
		if (!ret && partition->state.migrate.phase != HSM_MIGRATION_PHASE_IMPORTING)
			ret = load_rows(partition, reply, open.rows,
					open.flags & BOARD_OPEN_ACCEPT);
	}
	OPENSSL_cleanse(&open, sizeof(open));
	return ret;
}

int store_open(struct partition *partition)
{
	uint8_t *reply = OPENSSL_malloc(BOARD_MESSAGE_MAX);
	int ret;

	if (!reply)
		return -ENOMEM;
	ret = open_with(partition, reply);
	OPENSSL_clear_free(reply, BOARD_MESSAGE_MAX);
	if (ret < 0)
		partition->failed = CKR_DEVICE_ERROR;
	return ret;
}

/* ---- committing ---- */

/* Append the change's row to the message. Return: bytes, or a negative errno. */
static int put_change(const struct partition *partition, struct store_change *change,
		      uint8_t *message, size_t room, uint8_t *text)
{
	struct object *object = change->after;
	struct board_change row = { .id = object ? object->handle : change->before->handle };
	int ret;

	if (room < sizeof(row))
		return -E2BIG;
	if (object) {
		object->generation = change->before ? change->before->generation + 1 : 1;
		ret = row_write(partition, object, text, message + sizeof(row), room - sizeof(row));
		if (ret < 0)
			return ret;
		row.length = object->stored_length;
	}
	memcpy(message, &row, sizeof(row));
	return sizeof(row) + row.length;
}

static int account(const struct partition *partition, struct partition_state *next,
		   const struct store_change *change)
{
	uint8_t digest[32];

	if (change->before) {
		if (row_digest(partition, change->before, digest) < 0)
			return -EIO;
		hash_subtract(next->hash, digest);
		next->rows--;
	}
	if (change->after) {
		if (row_digest(partition, change->after, digest) < 0)
			return -EIO;
		hash_add(next->hash, digest);
		next->rows++;
	}
	return 0;
}

/*
 * The rows go to the message behind the room of the largest header, then the header is put in front of
 * them, since it seals their hash. Return: 0 or a negative errno.
 */
static int build(struct partition *partition, struct partition_state *next,
		 struct store_change *changes, size_t count, bool advance, struct iovec part[2])
{
	const size_t header_room = sizeof(struct board_commit) + HEADER_MAX;
	struct board_commit *commit = (struct board_commit *)partition->message;
	uint8_t *rows = partition->message + header_room;
	uint8_t *text = count ? OPENSSL_malloc(BOARD_BLOB_MAX) : NULL;
	size_t used = 0, header_length, i;
	int ret = count && !text ? -ENOMEM : 0;
	uint32_t audit = 0;

	for (i = 0; i < count && ret >= 0; i++) {
		ret = put_change(partition, &changes[i], rows + used,
				 BOARD_MESSAGE_MAX - header_room - used, text);
		if (ret < 0)
			break;
		used += ret;
		ret = account(partition, next, &changes[i]);
	}
	OPENSSL_clear_free(text, BOARD_BLOB_MAX);
	if (ret >= 0)
		ret = audit_build(partition, next, rows + used,
				  BOARD_MESSAGE_MAX - header_room - used, &audit);
	if (ret < 0)
		return ret;
	used += ret;
	next->commits = advance ? 0 : next->commits + 1;
	next->counter += advance;
	ret = header_write(partition, next, (uint8_t *)(commit + 1), header_room - sizeof(*commit),
			   &header_length);
	if (ret < 0)
		return ret;
	*commit = (struct board_commit){ .flags = advance ? BOARD_COMMIT_ADVANCE : 0,
					 .header_length = header_length,
					 .changes = count + audit,
					 .ladder = partition->ladder,
					 .sequence = next->audit.chain.sequence };
	memcpy(commit->head, next->audit.chain.head, sizeof(commit->head));
	if (partition->ladder)
		commit->flags |= BOARD_COMMIT_LADDER;
	memcpy(commit->partition, partition->info.id, PARTITION_ID_SIZE);
	part[0] = (struct iovec){ .iov_base = commit, .iov_len = sizeof(*commit) + header_length };
	part[1] = (struct iovec){ .iov_base = rows, .iov_len = used };
	return 0;
}

static CK_RV commit_error(int error)
{
	switch (error) {
	case -ENOMEM:
		return CKR_HOST_MEMORY;
	case -ENOSPC:
	case -EDQUOT:
	case -E2BIG:
	case -EMSGSIZE:
		return CKR_DEVICE_MEMORY;
	case -ENOENT:
		return CKR_TOKEN_NOT_PRESENT;
	default:
		return CKR_DEVICE_ERROR;
	}
}

/*
 * The key of private rows, for this commit: a logout meanwhile wipes the partition's own copy, and nothing must
 * be sealed under what it leaves.
 */
static bool take_commit_key(struct partition *partition)
{
	bool users;

	pthread_mutex_lock(&partition->lock);
	users = partition->users > 0;
	memcpy(partition->commit_key, partition->private_row_key, SECRET_SIZE);
	pthread_mutex_unlock(&partition->lock);
	return users;
}

/* On its way to another board, or not yet come from there: nothing of it changes but the phase. */
static bool on_its_way(const struct partition *partition, const struct partition_state *next)
{
	uint32_t phase = partition->state.migrate.phase;

	return (phase == HSM_MIGRATION_PHASE_FROZEN || phase == HSM_MIGRATION_PHASE_IMPORTING) &&
	       next->migrate.phase == phase;
}

static bool any_private(const struct store_change *changes, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (changes[i].after && changes[i].after->is_private)
			return true;
	return false;
}

/* Build the commit and have the board write it. Return: 0 or a negative errno. */
static int send_commit(struct partition *partition, struct partition_state *next,
		       struct store_change *changes, size_t count, bool advance)
{
	struct board_committed committed = { 0 };
	struct iovec part[2];
	size_t length = 0;
	int ret = build(partition, next, changes, count, advance, part);

	if (!ret)
		ret = storage_call(BOARD_COMMIT, part, part[1].iov_len ? 2 : 1, &committed,
				   sizeof(committed), &length);
	/* Whether it is on disk nobody knows: what is in memory must not be built on. */
	if (ret == -EPIPE || ret == -EPROTO)
		partition->failed = CKR_DEVICE_ERROR;
	if (ret < 0)
		return ret;
	if (length == sizeof(committed) && committed.counter == next->counter)
		return 0;
	store_complain(partition, "the board's counter and the header's have parted");
	partition->failed = CKR_DEVICE_ERROR;
	return -EIO;
}

/* On a full disk what only adds to the audit log goes on at the cost of the log's oldest rows, if the policy lets it. */
static int send_or_tighten(struct partition *partition, struct partition_state *next,
			   struct store_change *changes, size_t count, bool advance)
{
	const struct partition_state asked = *next;
	int ret = send_commit(partition, next, changes, count, advance);

	if ((ret == -ENOSPC || ret == -EDQUOT) && audit_tighten(partition, next)) {
		*next = asked;
		ret = send_commit(partition, next, changes, count, advance);
	}
	audit_built(partition, !ret);
	return ret;
}

CK_RV store_commit(struct partition *partition, struct partition_state *next,
		   struct store_change *changes, size_t count, bool advance)
{
	int ret;

	if (partition->dead || on_its_way(partition, next))
		return CKR_TOKEN_NOT_PRESENT;
	if (!partition->message)
		partition->message = OPENSSL_malloc(BOARD_MESSAGE_MAX);
	if (!partition->message)
		return CKR_HOST_MEMORY;
	if (any_private(changes, count) && !take_commit_key(partition))
		return CKR_USER_NOT_LOGGED_IN;
	advance = advance || next->commits >= COMMITS_TO_ADVANCE;
	ret = send_or_tighten(partition, next, changes, count, advance);
	OPENSSL_cleanse(partition->commit_key, SECRET_SIZE);
	if (ret < 0)
		return commit_error(ret);
	pthread_mutex_lock(&partition->lock);
	partition->state = *next;
	pthread_mutex_unlock(&partition->lock);
	return CKR_OK;
}
