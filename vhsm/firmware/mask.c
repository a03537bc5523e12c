// SPDX-License-Identifier: Apache-2.0
/*
 * Sealing and opening masked keys, and the list of those that were destroyed. A masked key is, in the clear,
 *
 *	8 bytes "IHSMMASK", u32 version, u32 flags, u64 epoch
 *
 * and then, sealed with AES-256-GCM and bound to these bytes and to the partition's id, the list of attributes. The key
 * is derived from the epoch and the partition's storage key or, for a private key, the key of its private rows, which takes
 * a PIN.
 */
#include <errno.h>
#include <string.h>
#include "mask.h"

#define MAGIC	     "IHSMMASK"
#define VERSION	     1
#define FLAG_PRIVATE 1U
#define CLEAR	     24 /* bytes before the nonce */
#define NESTING	     4 /* of templates in templates */

struct clear {
	uint8_t bytes[CLEAR];
	uint32_t flags;
	uint64_t epoch;
};

static void clear_make(struct clear *clear, uint32_t flags, uint64_t epoch)
{
	uint32_t version = htole32(VERSION);

	clear->flags = flags;
	clear->epoch = epoch;
	flags = htole32(flags);
	epoch = htole64(epoch);
	memcpy(clear->bytes, MAGIC, 8);
	memcpy(clear->bytes + 8, &version, 4);
	memcpy(clear->bytes + 12, &flags, 4);
	memcpy(clear->bytes + 16, &epoch, 8);
}

/* Only what clear_make() makes */
static bool clear_read(struct clear *clear, const uint8_t *in, size_t length)
{
	if (length < CLEAR + AEAD_OVERHEAD)
		return false;
	clear_make(clear, hsm_get_le32(in + 12), hsm_get_le64(in + 16));
	return !memcmp(clear->bytes, in, CLEAR) && !(clear->flags & ~FLAG_PRIVATE);
}

static void make_aad(const struct partition *partition, const struct clear *clear,
		     uint8_t aad[PARTITION_ID_SIZE + CLEAR])
{
	memcpy(aad, partition->info.id, PARTITION_ID_SIZE);
	memcpy(aad + PARTITION_ID_SIZE, clear->bytes, CLEAR);
}

static CK_RV make_key(struct partition *partition, const struct clear *clear,
		      uint8_t key[SECRET_SIZE])
{
	uint8_t secret[SECRET_SIZE];
	uint64_t epoch = htole64(clear->epoch);
	bool open = true;
	int ret;

	pthread_mutex_lock(&partition->lock);
	if (clear->flags & FLAG_PRIVATE) {
		open = partition->users > 0;
		memcpy(secret, partition->private_row_key, SECRET_SIZE);
	} else {
		memcpy(secret, partition->storage_key, SECRET_SIZE);
	}
	pthread_mutex_unlock(&partition->lock);
	if (!open)
		return CKR_USER_NOT_LOGGED_IN;
	ret = derive_key(secret, (const uint8_t *)&epoch, sizeof(epoch), "masked", key);
	OPENSSL_cleanse(secret, sizeof(secret));
	return ret < 0 ? CKR_FUNCTION_FAILED : CKR_OK;
}

/* ---- seal ---- */

static void write_attributes(struct hsm_writer *out, const struct attributes *set)
{
	const struct attribute *item = NULL;

	while ((item = attributes_next(set, item)))
		hsm_put_attribute(out, item->type, 0, item->value, item->length);
}

static CK_RV seal(const struct partition *partition, const struct clear *clear,
		  const uint8_t key[SECRET_SIZE], const struct attributes *set, uint8_t *out,
		  size_t room, size_t *length)
{
	uint8_t aad[PARTITION_ID_SIZE + CLEAR], *text = OPENSSL_malloc(room);
	struct hsm_writer writer;
	CK_RV rv = CKR_OK;

	if (!text)
		return CKR_HOST_MEMORY;
	hsm_writer_init(&writer, text, room - CLEAR - AEAD_OVERHEAD);
	write_attributes(&writer, set);
	make_aad(partition, clear, aad);
	memcpy(out, clear->bytes, CLEAR);
	if (writer.error)
		rv = CKR_DEVICE_MEMORY;
	else if (aead_seal(key, aad, sizeof(aad), text, writer.length, out + CLEAR) < 0)
		rv = CKR_FUNCTION_FAILED;
	*length = CLEAR + writer.length + AEAD_OVERHEAD;
	OPENSSL_clear_free(text, room);
	return rv;
}

CK_RV mask_seal(struct partition *partition, const struct attributes *set, uint8_t *out,
		size_t room, size_t *length)
{
	bool is_private = attributes_bool(set, CKA_PRIVATE, true);
	uint8_t key[SECRET_SIZE];
	struct clear clear;
	uint64_t epoch;
	CK_RV rv;

	if (room <= MASK_OVERHEAD)
		return CKR_DEVICE_MEMORY;
	pthread_mutex_lock(&partition->lock);
	epoch = partition->state.masks.epoch;
	pthread_mutex_unlock(&partition->lock);
	clear_make(&clear, is_private ? FLAG_PRIVATE : 0, epoch);
	rv = make_key(partition, &clear, key);
	if (rv == CKR_OK)
		rv = seal(partition, &clear, key, set, out, room, length);
	OPENSSL_cleanse(key, sizeof(key));
	return rv;
}

/* ---- open ---- */

static bool listed(const struct mask_list *list, uint64_t id)
{
	uint32_t i;

	for (i = 0; i < list->count; i++)
		if (list->id[i] == id)
			return true;
	return false;
}

bool mask_is_revoked(struct partition *partition, uint64_t id)
{
	const struct mask_state *masks = &partition->state.masks;
	bool revoked;

	pthread_mutex_lock(&partition->lock);
	revoked = listed(&masks->revoked, id) || listed(&masks->former, id);
	pthread_mutex_unlock(&partition->lock);
	return revoked;
}

/* Is it of an epoch that still counts, and was it destroyed in none? */
static CK_RV check_state(struct partition *partition, const struct masked *masked)
{
	const struct mask_state *masks = &partition->state.masks;
	bool good;

	pthread_mutex_lock(&partition->lock);
	good = masked->epoch == masks->epoch || (masks->grace && masked->epoch + 1 == masks->epoch);
	pthread_mutex_unlock(&partition->lock);
	return good && !mask_is_revoked(partition, masked->id) ? CKR_OK : CKR_WRAPPED_KEY_INVALID;
}

static CK_RV read_attributes(struct masked *masked, const uint8_t *text, size_t length)
{
	CK_RV rv;

	if (!hsm_attributes_valid(text, length, NESTING))
		return CKR_WRAPPED_KEY_INVALID;
	rv = attributes_parse(&masked->attributes, text, length);
	if (rv != CKR_OK)
		return rv == CKR_HOST_MEMORY ? rv : CKR_WRAPPED_KEY_INVALID;
	masked->id = attributes_ulong(&masked->attributes, CKA_HSM_MASK_ID, 0);
	return masked->id ? CKR_OK : CKR_WRAPPED_KEY_INVALID;
}

CK_RV mask_open(struct partition *partition, const uint8_t *in, size_t length,
		struct masked *masked)
{
	uint8_t key[SECRET_SIZE], aad[PARTITION_ID_SIZE + CLEAR], *text;
	struct clear clear;
	CK_RV rv;

	memset(masked, 0, sizeof(*masked));
	if (!clear_read(&clear, in, length))
		return CKR_WRAPPED_KEY_INVALID;
	masked->epoch = clear.epoch;
	rv = make_key(partition, &clear, key);
	if (rv != CKR_OK)
		return rv;
	text = OPENSSL_malloc(length);
	make_aad(partition, &clear, aad);
	if (!text)
		rv = CKR_HOST_MEMORY;
	else if (aead_open(key, aad, sizeof(aad), in + CLEAR, length - CLEAR, text) < 0)
		rv = CKR_WRAPPED_KEY_INVALID;
	else
		rv = read_attributes(masked, text, length - CLEAR - AEAD_OVERHEAD);
	if (rv == CKR_OK)
		rv = check_state(partition, masked);
	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_clear_free(text, length);
	if (rv != CKR_OK)
		mask_free(masked);
	return rv;
}

void mask_free(struct masked *masked)
{
	attributes_free(&masked->attributes);
}

/* ---- the list ---- */

void mask_revoke(struct mask_state *masks, uint64_t id)
{
	if (listed(&masks->revoked, id))
		return;
	if (masks->revoked.count == MASK_REVOKED_MAX) {
		masks->epoch++;
		masks->grace = 1;
		masks->former = masks->revoked;
		masks->revoked.count = 0;
	}
	masks->revoked.id[masks->revoked.count++] = id;
}

/* Two on, so that not even a grace reaches back. */
void mask_void(const struct mask_state *before, struct mask_state *after)
{
	uint64_t epoch = before->epoch + 2;

	memset(after, 0, sizeof(*after));
	after->epoch = epoch;
}

static void put_list(struct header_cursor *cursor, const struct mask_list *list)
{
	uint32_t i;

	header_put32(cursor, list->count);
	for (i = 0; i < list->count; i++)
		header_put64(cursor, list->id[i]);
}

static void get_list(struct header_cursor *cursor, struct mask_list *list)
{
	uint32_t count = header_get32(cursor), i;

	if (count > MASK_REVOKED_MAX) {
		cursor->error = -EBADMSG;
		return;
	}
	for (i = 0; i < count; i++)
		list->id[i] = header_get64(cursor);
	list->count = count;
}

void mask_put_state(struct header_cursor *cursor, const struct partition *partition,
		    const struct partition_state *state)
{
	const struct mask_state *masks = &state->masks;

	(void)partition;
	if (!masks->epoch && !masks->revoked.count)
		return;
	header_put64(cursor, masks->epoch);
	header_put32(cursor, masks->grace);
	put_list(cursor, &masks->revoked);
	put_list(cursor, &masks->former);
}

void mask_get_state(struct header_cursor *cursor, struct partition *partition,
		    struct partition_state *state)
{
	struct mask_state *masks = &state->masks;

	(void)partition;
	masks->epoch = header_get64(cursor);
	masks->grace = header_get32(cursor);
	get_list(cursor, &masks->revoked);
	get_list(cursor, &masks->former);
	if (masks->grace > 1)
		cursor->error = -EBADMSG;
}
