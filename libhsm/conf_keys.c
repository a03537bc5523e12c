// SPDX-License-Identifier: Apache-2.0
/*
 * The keys of hsm.conf, one function each and a table.
 */
#include <errno.h>
#include <stdlib.h>
#include <hsm/dice.h>
#include "conf_keys.h"
#include "heap.h"

int conf_complain(struct conf_parser *p, const char *what, const char *text)
{
	return set_error(p->error, -EINVAL, HSM_LAYER_CONFIG, "%s:%u: %s '%.60s'", p->path, p->line,
			 what, text);
}

static int set_device(struct conf_parser *p, char *value)
{
	char **more;

	if (p->section->device)
		return conf_complain(p,
				     "'device' belongs before the first section, not here:", value);
	more = heap_array(p->conf->devices, p->conf->device_count + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	p->conf->devices = more;
	more[p->conf->device_count] = heap_string(value);
	if (!more[p->conf->device_count])
		return -ENOMEM;
	p->conf->device_count++;
	return 0;
}

/* An absolute path, once in a section */
static int set_path(struct conf_parser *p, char **path, char *value)
{
	if (*path)
		return conf_complain(p, "this key is given twice:", value);
	if (value[0] != '/')
		return conf_complain(p, "must be an absolute path, not", value);
	*path = heap_string(value);
	return *path ? 0 : -ENOMEM;
}

static int set_roots(struct conf_parser *p, char *value)
{
	return set_path(p, &p->section->roots, value);
}

static int set_client_certificate(struct conf_parser *p, char *value)
{
	return set_path(p, &p->section->client_certificate, value);
}

static int set_client_key(struct conf_parser *p, char *value)
{
	return set_path(p, &p->section->client_key, value);
}

static int set_minimum_version(struct conf_parser *p, char *value)
{
	unsigned long number;
	char *end;

	number = strtoul(value, &end, 10);
	if (*value < '1' || *value > '9' || *end || number > UINT32_MAX)
		return conf_complain(p, "not a security version:", value);
	p->section->minimum_version = (uint32_t)number;
	return 0;
}

static int set_lifecycle(struct conf_parser *p, char *value)
{
	p->section->lifecycle = hsm_lifecycle_parse(value);
	return p->section->lifecycle ? 0 : conf_complain(p, "no such lifecycle:", value);
}

/* One more hash of so many bytes, written as ALGORITHM:HEX */
static int add_hash(struct conf_parser *p, struct conf_list *list, const char *algorithm,
		    size_t size, const char *value)
{
	size_t prefix = strlen(algorithm);
	uint8_t *more;

	if (strncmp(value, algorithm, prefix) || strlen(value + prefix) != 2 * size)
		return conf_complain(p, "not the hash that is expected here:", value);
	more = heap_array(list->bytes, list->count + 1, size);
	if (!more)
		return -ENOMEM;
	list->bytes = more;
	if (hex_parse(value + prefix, more + list->count * size, size))
		return conf_complain(p, "not hexadecimal:", value);
	list->count++;
	return 0;
}

static int add_measurement(struct conf_parser *p, char *value)
{
	return add_hash(p, &p->section->measurements, "sha384:", HSM_MEASUREMENT_SIZE, value);
}

static int add_revoked_device(struct conf_parser *p, char *value)
{
	return add_hash(p, &p->section->revoked_devices, "sha256:", HSM_FINGERPRINT_SIZE, value);
}

static int add_revoked_alias(struct conf_parser *p, char *value)
{
	return add_hash(p, &p->section->revoked_aliases, "sha256:", HSM_FINGERPRINT_SIZE, value);
}

/* pin = UUID sha256:HEX */
static int set_pin(struct conf_parser *p, char *value)
{
	char *hash = strpbrk(value, " \t");
	struct conf_pin *pin;

	if (!hash)
		return conf_complain(p, "a pin is 'PARTITION-ID sha256:HEX', not", value);
	*hash++ = '\0';
	hash = conf_trim(hash);
	pin = calloc(1, sizeof(*pin));
	if (!pin)
		return -ENOMEM;
	pin->next = p->section->pins;
	p->section->pins = pin;
	if (uuid_parse(value, pin->partition))
		return conf_complain(p, "not a partition id:", value);
	if (strncmp(hash, "sha256:", 7) || strlen(hash + 7) != 2 * CONF_PIN_SIZE ||
	    hex_parse(hash + 7, pin->hash, CONF_PIN_SIZE))
		return conf_complain(p, "not 'sha256:' and 64 hexadecimal digits:", hash);
	return 0;
}

static const struct {
	const char *name;
	int (*set)(struct conf_parser *p, char *value);
} keys[] = {
	{ "device", set_device },
	{ "pin", set_pin },
	{ "root-certificate", set_roots },
	{ "minimum-security-version", set_minimum_version },
	{ "allow-measurement", add_measurement },
	{ "revoked-device", add_revoked_device },
	{ "revoked-alias", add_revoked_alias },
	{ "require-lifecycle", set_lifecycle },
	{ "client-certificate", set_client_certificate },
	{ "client-key", set_client_key },
};

int conf_set(struct conf_parser *p, const char *key, char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strcmp(keys[i].name, key) == 0)
			return keys[i].set(p, value);
	}
	return conf_complain(p, "unknown key", key);
}
