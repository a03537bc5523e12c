// SPDX-License-Identifier: Apache-2.0
/*
 * Chains of certificates: what hsm.conf demands of a device and its firmware, and the certificate by which
 * the application itself is known. The check is that of hsm/dice.h, the same as hsm-verify's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include "heap.h"
#include "trust.h"

/* ---- what hsm.conf says; the device's own section comes before the one for all ---- */

#define FROM_EITHER(trust, all, field) \
	((trust)->section && (trust)->section->field ? (trust)->section->field : (all)->field)

static int load_roots(struct trust *trust, const char *path, struct hsm_error *error)
{
	trust->policy.roots = hsm_dice_store();
	if (!trust->policy.roots)
		return set_error(error, -ENOMEM, HSM_LAYER_SYSTEM, "out of memory");
	if (X509_STORE_load_file_ex(trust->policy.roots, path, trust->libctx, NULL) == 1)
		return 0;
	ERR_clear_error();
	return set_error(error, -EINVAL, HSM_LAYER_CONFIG,
			 "cannot read certificates from %.150s (root-certificate in %.60s)", path,
			 trust->conf.path);
}

static void set_measurements(struct hsm_trust_policy *policy, const struct conf_list *list)
{
	policy->measurements = (const uint8_t(*)[HSM_MEASUREMENT_SIZE])(void *)list->bytes;
	policy->measurement_count = list->count;
}

static size_t append(uint8_t (*to)[HSM_FINGERPRINT_SIZE], const struct conf_list *list)
{
	if (list->count)
		memcpy(to, list->bytes, list->count * HSM_FINGERPRINT_SIZE);
	return list->count;
}

/* What is revoked for all devices is so for each of them. */
static int set_revoked(struct trust *trust, const struct conf_section *all)
{
	static const struct conf_section nothing;
	const struct conf_section *own = trust->section ? trust->section : &nothing;
	struct hsm_trust_policy *policy = &trust->policy;
	size_t devices = own->revoked_devices.count + all->revoked_devices.count;
	size_t aliases = own->revoked_aliases.count + all->revoked_aliases.count;
	uint8_t(*at)[HSM_FINGERPRINT_SIZE];

	if (!devices && !aliases)
		return 0;
	at = heap_array(NULL, devices + aliases, HSM_FINGERPRINT_SIZE);
	if (!at)
		return -ENOMEM;
	trust->revoked = at;
	policy->revoked_devices.list = (const uint8_t(*)[HSM_FINGERPRINT_SIZE])at;
	policy->revoked_devices.count = devices;
	at += append(at, &own->revoked_devices);
	at += append(at, &all->revoked_devices);
	policy->revoked_aliases.list = (const uint8_t(*)[HSM_FINGERPRINT_SIZE])at;
	policy->revoked_aliases.count = aliases;
	at += append(at, &own->revoked_aliases);
	append(at, &all->revoked_aliases);
	return 0;
}

static bool demands_something(const struct hsm_trust_policy *policy)
{
	return policy->minimum_version || policy->measurement_count || policy->lifecycle ||
	       policy->revoked_devices.count || policy->revoked_aliases.count;
}

int chain_policy(struct trust *trust, struct hsm_error *error)
{
	const struct conf_section *all = conf_find(&trust->conf, NULL);
	struct hsm_trust_policy *policy = &trust->policy;
	const char *path;

	if (!all)
		return 0;
	policy->minimum_version = FROM_EITHER(trust, all, minimum_version);
	policy->lifecycle = FROM_EITHER(trust, all, lifecycle);
	set_measurements(policy, trust->section && trust->section->measurements.count
					 ? &trust->section->measurements
					 : &all->measurements);
	if (set_revoked(trust, all))
		return set_error(error, -ENOMEM, HSM_LAYER_SYSTEM, "out of memory");
	path = FROM_EITHER(trust, all, roots);
	if (path)
		return load_roots(trust, path, error);
	/* Without a root anybody can say anything of himself. */
	if (demands_something(policy))
		return set_error(
			error, -EINVAL, HSM_LAYER_CONFIG,
			"%.150s demands something of devices' certificates, which needs 'root-certificate'",
			trust->conf.path);
	return 0;
}

void chain_policy_free(struct trust *trust)
{
	X509_STORE_free(trust->policy.roots);
	free(trust->revoked);
}

/* ---- the check ---- */

int chain_check(struct identity_check *check, X509 *cert, STACK_OF(X509) * others)
{
	struct trust *trust = check->trust;
	char id[UUID_TEXT_SIZE], reason[HSM_DICE_REASON_MAX];
	struct hsm_dice_facts facts;
	int err;

	err = hsm_dice_verify(trust->libctx, &trust->policy, HSM_DICE_LEAF_PARTITION, cert, others,
			      check->partition, &facts, reason);
	if (!err)
		return 0;
	uuid_format(check->partition, id);
	return set_error(check->error, err, HSM_LAYER_CHANNEL, "partition %s is not believed: %s",
			 id, reason);
}

/* ---- the application's own certificate ---- */

/* The key is its owner's alone: what others could have read proves nothing. */
static int check_key_file(const char *path, struct hsm_error *error)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return set_error(error, -errno, HSM_LAYER_CONFIG, "client-key %.150s: %s", path,
				 strerrordesc_np(errno));
	if (!S_ISREG(st.st_mode) || (st.st_mode & 077) || (st.st_uid != geteuid() && st.st_uid))
		return set_error(
			error, -EPERM, HSM_LAYER_CONFIG,
			"client-key %.150s: must be a file that only you can read (chmod 600)",
			path);
	return 0;
}

/* Never a prompt: a library has no terminal. */
static int no_passphrase(char *buffer, int size, int writing, void *data)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)data;
	return -1;
}

int chain_client(struct trust *trust, struct hsm_error *error)
{
	const struct conf_section *all = conf_find(&trust->conf, NULL);
	const char *certificate = all ? FROM_EITHER(trust, all, client_certificate) : NULL;
	const char *key = all ? FROM_EITHER(trust, all, client_key) : NULL;
	int err;

	if (!certificate && !key)
		return 0;
	if (!certificate || !key)
		return set_error(error, -EINVAL, HSM_LAYER_CONFIG,
				 "%.150s: 'client-certificate' and 'client-key' go together",
				 trust->conf.path);
	err = check_key_file(key, error);
	if (err)
		return err;
	SSL_CTX_set_default_passwd_cb(trust->tls, no_passphrase);
	if (SSL_CTX_use_certificate_chain_file(trust->tls, certificate) == 1 &&
	    SSL_CTX_use_PrivateKey_file(trust->tls, key, SSL_FILETYPE_PEM) == 1 &&
	    SSL_CTX_check_private_key(trust->tls) == 1)
		return 0;
	ERR_clear_error();
	return set_error(error, -EINVAL, HSM_LAYER_CONFIG,
			 "client-certificate %.90s and client-key %.90s are no pair in PEM form",
			 certificate, key);
}
