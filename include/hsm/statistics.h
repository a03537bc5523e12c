/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the commands to a partition come to, counted by its firmware since it started: the answer of STATISTICS, which
 * hsmctl top and hsmctl metrics read. Coarse, and no newer than a second: Documentation/commands.rst, "Statistics".
 */
#ifndef HSM_STATISTICS_H
#define HSM_STATISTICS_H

#include <stdint.h>

/* X(number, NAME, word, commands of that kind): an operation is counted with the command that ends it */
#define HSM_STATISTICS_KINDS(X) \
	X(0, SIGN,	"sign",	  "signatures and MACs made") \
	X(1, VERIFY,	"verify", "signatures and MACs verified") \
	X(2, ENCRYPT,	"encrypt", "encryptions and encapsulations") \
	X(3, DECRYPT,	"decrypt", "decryptions and decapsulations") \
	X(4, DIGEST,	"digest", "digests") \
	X(5, KEY,	"key",	  "keys made, derived, wrapped and unwrapped") \
	X(6, OBJECT,	"object", "objects made, changed, searched and destroyed") \
	X(7, RANDOM,	"random", "random bytes") \
	X(8, LOGIN,	"login",  "logins, and PINs set") \
	X(9, OTHER,	"other",  "all else: beginnings and parts of operations, sessions, status")

enum hsm_statistics_kind {
#define HSM_STATISTICS_ENUM(number, NAME, word, meaning) HSM_STATISTICS_##NAME = (number),
	HSM_STATISTICS_KINDS(HSM_STATISTICS_ENUM)
#undef HSM_STATISTICS_ENUM
	HSM_STATISTICS_KIND_COUNT,
};

#define HSM_STATISTICS_FRESH_MS	1000	/* an answer stays the same for so long */
#define HSM_STATISTICS_BUCKETS	18	/* the last one has all that took longer than the others hold */
#define HSM_STATISTICS_LEAST_US	64	/* the first bucket's upper bound; each further one's is twice that before */

/* hsm_statistics_bound - upper bound of a bucket in microseconds; not of the last one, which has none */
static inline uint64_t hsm_statistics_bound(unsigned int bucket)
{
	return (uint64_t)HSM_STATISTICS_LEAST_US << bucket;
}

/**
 * struct hsm_statistics_of - commands of one kind, little-endian as all that is on the wire
 * @count: executed, refused ones included
 * @refused: answered with another CKR_ than CKR_OK, and CKR_BUFFER_TOO_SMALL
 * @microseconds: that they took inside of the device, all together
 * @bucket: how many took so long
 */
struct hsm_statistics_of {
	uint64_t count;
	uint64_t refused;
	uint64_t microseconds;
	uint64_t bucket[HSM_STATISTICS_BUCKETS];
};

/**
 * struct hsm_statistics - the field STATISTICS
 * @since: when counting began, milliseconds since 1970
 * @at: how long after that these were the numbers, milliseconds
 * @clients, @sessions: open now: connections of applications, and their sessions
 * @most_sessions: that the partition's quota allows
 * @bytes, @most_bytes: that token objects take, and may take
 */
struct hsm_statistics {
	uint64_t since;
	uint64_t at;
	uint32_t clients;
	uint32_t sessions;
	uint32_t most_sessions;
	uint32_t reserved;
	uint64_t bytes;
	uint64_t most_bytes;
	struct hsm_statistics_of kind[HSM_STATISTICS_KIND_COUNT];
};

#endif /* HSM_STATISTICS_H */
