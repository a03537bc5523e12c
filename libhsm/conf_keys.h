/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hsm.conf inside: the walk through the file (conf.c) and the keys that it may have (conf_keys.c).
 */
#ifndef LIBHSM_CONF_KEYS_H
#define LIBHSM_CONF_KEYS_H

#include "internal.h"

struct conf_parser {
	struct conf *conf;
	struct conf_section *section;
	const char *path;
	unsigned int line;
	struct hsm_error *error;
};

/* conf_complain - an error that names file and line. Return: -EINVAL. */
int conf_complain(struct conf_parser *p, const char *what, const char *text);

/* conf_trim - without the blanks around it, in place */
char *conf_trim(char *text);

/* conf_set - a line's key and value, which may be written to. Return: 0, -EINVAL with an error, -ENOMEM. */
int conf_set(struct conf_parser *p, const char *key, char *value);

#endif /* LIBHSM_CONF_KEYS_H */
