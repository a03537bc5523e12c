// SPDX-License-Identifier: Apache-2.0
/*
 * Sealing and opening of a channel's messages, and the window of sequence numbers. Both ends of the
 * channel use it.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <hsm/seal.h>

#define KEY_SIZE      32
#define IV_SIZE	      12
#define MATERIAL_SIZE (2 * (KEY_SIZE + IV_SIZE))
#define CONTEXTS      8 /* cipher contexts kept for each direction and use */
#define EPOCH_OFFSET  (4 + HSM_PARTITION_ID_SIZE)

/*
 * One way of a channel, for one use: libcrypto's contexts with the key set, each used by one thread
 * at a time.
 */
struct lane {
	uint8_t key[KEY_SIZE];
	uint8_t iv[IV_SIZE];
	struct {
		atomic_flag busy;
		EVP_CIPHER_CTX *cipher;
	} slot[CONTEXTS];
};

/*
 * In pages that a fork's child sees zeroed: @live is 0 there, and nothing is sealed with the
 * parent's numbers.
 */
struct hsm_seal {
	int live;
	EVP_CIPHER *cipher;
	struct lane seal[2]; /* by direction */
	struct lane open[2];
};

static struct hsm_seal *seal_from_material(OSSL_LIB_CTX *libctx, const uint8_t *material)
{
	struct hsm_seal *seal = hsm_secret_alloc(sizeof(*seal));
	unsigned int direction;

	if (!seal)
		return NULL;
	for (direction = 0; direction < 2; direction++) {
		const uint8_t *part = material + direction * (KEY_SIZE + IV_SIZE);

		memcpy(seal->seal[direction].key, part, KEY_SIZE);
		memcpy(seal->seal[direction].iv, part + KEY_SIZE, IV_SIZE);
		seal->open[direction] = seal->seal[direction];
	}
	seal->live = 1;
	seal->cipher = EVP_CIPHER_fetch(libctx, "AES-256-GCM", NULL);
	if (!seal->cipher) {
		hsm_seal_free(seal);
		return NULL;
	}
	return seal;
}

struct hsm_seal *hsm_seal_from_keys(OSSL_LIB_CTX *libctx, const uint8_t material[MATERIAL_SIZE])
{
	return seal_from_material(libctx, material);
}

struct hsm_seal *hsm_seal_new(OSSL_LIB_CTX *libctx, SSL *ssl,
			      const uint8_t partition[HSM_PARTITION_ID_SIZE], uint32_t epoch)
{
	uint32_t version = htole32(HSM_PROTOCOL_VERSION);
	uint8_t context[EPOCH_OFFSET + 4];
	uint8_t material[MATERIAL_SIZE];
	struct hsm_seal *seal = NULL;

	epoch = htole32(epoch);
	memcpy(context, &version, 4);
	memcpy(context + 4, partition, HSM_PARTITION_ID_SIZE);
	memcpy(context + EPOCH_OFFSET, &epoch, 4);
	if (SSL_export_keying_material(ssl, material, sizeof(material), HSM_EXPORTER_LABEL,
				       strlen(HSM_EXPORTER_LABEL), context, sizeof(context),
				       1) == 1)
		seal = seal_from_material(libctx, material);
	OPENSSL_cleanse(material, sizeof(material));
	return seal;
}

static void lane_clear(struct lane *lane)
{
	unsigned int i;

	for (i = 0; i < CONTEXTS; i++)
		EVP_CIPHER_CTX_free(lane->slot[i].cipher);
}

void hsm_seal_free(struct hsm_seal *seal)
{
	unsigned int i;

	if (!seal)
		return;
	for (i = 0; i < 2; i++) {
		lane_clear(&seal->seal[i]);
		lane_clear(&seal->open[i]);
	}
	EVP_CIPHER_free(seal->cipher);
	hsm_secret_free(seal, sizeof(*seal));
}

static EVP_CIPHER_CTX *cipher_new(const struct hsm_seal *seal, const struct lane *lane, int encrypt)
{
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();

	if (cipher &&
	    EVP_CipherInit_ex2(cipher, seal->cipher, lane->key, NULL, encrypt, NULL) != 1) {
		EVP_CIPHER_CTX_free(cipher);
		return NULL;
	}
	return cipher;
}

/*
 * Take a context of the lane; *slot is CONTEXTS when all were busy and this one is to be freed
 * after use.
 */
static EVP_CIPHER_CTX *lane_take(const struct hsm_seal *seal, struct lane *lane, int encrypt,
				 unsigned int *slot)
{
	unsigned int i;

	for (i = 0; i < CONTEXTS; i++) {
		if (atomic_flag_test_and_set_explicit(&lane->slot[i].busy, memory_order_acquire))
			continue;
		if (!lane->slot[i].cipher)
			lane->slot[i].cipher = cipher_new(seal, lane, encrypt);
		if (lane->slot[i].cipher) {
			*slot = i;
			return lane->slot[i].cipher;
		}
		atomic_flag_clear_explicit(&lane->slot[i].busy, memory_order_release);
		return NULL;
	}
	*slot = CONTEXTS;
	return cipher_new(seal, lane, encrypt);
}

static void lane_give(struct lane *lane, EVP_CIPHER_CTX *cipher, unsigned int slot)
{
	if (slot == CONTEXTS)
		EVP_CIPHER_CTX_free(cipher);
	else
		atomic_flag_clear_explicit(&lane->slot[slot].busy, memory_order_release);
}

/* RFC 8446, 5.3: the sequence number, big-endian and padded on the left, xor the IV */
static void nonce_make(const struct lane *lane, uint64_t sequence, uint8_t nonce[IV_SIZE])
{
	unsigned int i;

	memcpy(nonce, lane->iv, IV_SIZE);
	for (i = 0; i < 8; i++)
		nonce[IV_SIZE - 1 - i] ^= (uint8_t)(sequence >> (8 * i));
}

/* Associated data: the direction, then the whole clear header. */
static void aad_make(enum hsm_direction direction, const uint8_t *message, uint8_t *aad)
{
	aad[0] = (uint8_t)direction;
	memcpy(aad + 1, message, sizeof(struct hsm_message_header));
}

int hsm_seal_message(struct hsm_seal *seal, enum hsm_direction direction, uint32_t channel,
		     uint64_t sequence, uint8_t *message, size_t length)
{
	struct hsm_message_header header = {
		.version = HSM_PROTOCOL_VERSION,
		.kind = HSM_MESSAGE_SEALED,
		.channel = htole32(channel),
		.sequence = htole64(sequence),
		.length = htole32(length + HSM_TAG_SIZE),
	};
	uint8_t *body = message + sizeof(header);
	uint8_t aad[1 + sizeof(header)];
	struct lane *lane = &seal->seal[direction];
	uint8_t nonce[IV_SIZE];
	EVP_CIPHER_CTX *cipher;
	unsigned int slot;
	int part, good;

	if (!seal->live)
		return -ECHILD;
	if (length > HSM_MESSAGE_MAX - sizeof(header) - HSM_TAG_SIZE)
		return -EMSGSIZE;
	cipher = lane_take(seal, lane, 1, &slot);
	if (!cipher)
		return -ENOMEM;
	memcpy(message, &header, sizeof(header));
	nonce_make(lane, sequence, nonce);
	aad_make(direction, message, aad);
	good = EVP_EncryptInit_ex2(cipher, NULL, NULL, nonce, NULL) == 1 &&
	       EVP_EncryptUpdate(cipher, NULL, &part, aad, sizeof(aad)) == 1 &&
	       EVP_EncryptUpdate(cipher, body, &part, body, (int)length) == 1 &&
	       EVP_EncryptFinal_ex(cipher, body + length, &part) == 1 &&
	       EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, HSM_TAG_SIZE, body + length) == 1;
	lane_give(lane, cipher, slot);
	if (!good) {
		OPENSSL_cleanse(body, length);
		return -EIO;
	}
	return (int)(sizeof(header) + length + HSM_TAG_SIZE);
}

int hsm_open_message(struct hsm_seal *seal, enum hsm_direction direction, uint8_t *message,
		     size_t size, size_t *length)
{
	struct hsm_message_header header;
	struct lane *lane = &seal->open[direction];
	uint8_t aad[1 + sizeof(header)];
	uint8_t nonce[IV_SIZE];
	EVP_CIPHER_CTX *cipher;
	unsigned int slot;
	uint8_t *body;
	int part, good;

	if (!seal->live)
		return -ECHILD;
	if (size < sizeof(header) + HSM_TAG_SIZE || size > HSM_MESSAGE_MAX)
		return -EBADMSG;
	memcpy(&header, message, sizeof(header));
	if (header.version != HSM_PROTOCOL_VERSION || header.kind != HSM_MESSAGE_SEALED ||
	    header.reserved || header.reserved2 || le32toh(header.length) != size - sizeof(header))
		return -EBADMSG;
	cipher = lane_take(seal, lane, 0, &slot);
	if (!cipher)
		return -ENOMEM;
	*length = size - sizeof(header) - HSM_TAG_SIZE;
	body = message + sizeof(header);
	nonce_make(lane, le64toh(header.sequence), nonce);
	aad_make(direction, message, aad);
	good = EVP_DecryptInit_ex2(cipher, NULL, NULL, nonce, NULL) == 1 &&
	       EVP_DecryptUpdate(cipher, NULL, &part, aad, sizeof(aad)) == 1 &&
	       EVP_DecryptUpdate(cipher, body, &part, body, (int)*length) == 1 &&
	       EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, HSM_TAG_SIZE, body + *length) ==
		       1 &&
	       EVP_DecryptFinal_ex(cipher, body + *length, &part) == 1;
	lane_give(lane, cipher, slot);
	if (!good) {
		OPENSSL_cleanse(body, *length);
		*length = 0;
		return -EBADMSG;
	}
	return 0;
}

#define WINDOW_WORD(n) (((n) % HSM_SEQUENCE_WINDOW) / 64)
#define WINDOW_BIT(n)  (1ULL << ((n) % 64))

bool hsm_window_accept(struct hsm_window *window, uint64_t sequence)
{
	uint64_t n;

	if (sequence == UINT64_MAX)
		return false;
	if (sequence >= window->top) {
		if (sequence - window->top >= HSM_SEQUENCE_WINDOW)
			memset(window->seen, 0, sizeof(window->seen));
		else
			for (n = window->top; n <= sequence; n++)
				window->seen[WINDOW_WORD(n)] &= ~WINDOW_BIT(n);
		window->top = sequence + 1;
	} else if (window->top - sequence > HSM_SEQUENCE_WINDOW ||
		   (window->seen[WINDOW_WORD(sequence)] & WINDOW_BIT(sequence))) {
		return false;
	}
	window->seen[WINDOW_WORD(sequence)] |= WINDOW_BIT(sequence);
	return true;
}
