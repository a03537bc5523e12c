/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wycheproof's files: the table of them and the forms of their groups and tests.
 */
#ifndef TESTS_VECTORS_WYCHEPROOF_H
#define TESTS_VECTORS_WYCHEPROOF_H

#include <json-c/json.h>
#include "vectors.h"

struct row {
	const char *pattern;	/* of the file's name */
	/* Reads one group and runs its tests; NULL: not run, and why says for which reason */
	void (*group)(struct report *r, const struct row *row, json_object *group);
	const char *why;
	CK_MECHANISM_TYPE type;	/* without it the file is skipped, with @use */
	CK_FLAGS use;
	CK_KEY_TYPE key_type;
};

/* The text of a member, NULL when there is none */
const char *json_text(json_object *object, const char *name);
unsigned long json_number(json_object *object, const char *name);
json_object *json_member(json_object *object, const char *name);
/* Bytes of a member in hex. They stay until the next json_forget(). */
struct bytes json_hex(json_object *object, const char *name);
/* The same for base64 without padding, as JSON web keys have it */
struct bytes json_base64url(json_object *object, const char *name);
struct bytes keep(struct bytes bytes);
enum expect json_expect(json_object *test);

/* Runs use() for each test of a group, with its number as the vector's name */
void each_test(struct report *r, json_object *group,
	       void (*use)(struct report *r, json_object *test, enum expect expect, void *context),
	       void *context);

typedef void group_fn(struct report *r, const struct row *row, json_object *group);

/* wycheproof_symmetric.c */
group_fn group_aead, group_cipher, group_xts, group_mac, group_gmac, group_wrap, group_hkdf;
/* wycheproof_public.c */
group_fn group_ecdsa, group_ecdsa_p1363, group_eddsa, group_rsa_pkcs, group_rsa_pss, group_oaep, group_rsa_decrypt;
/* wycheproof_agreement.c */
group_fn group_ecdh, group_xdh;

#endif
