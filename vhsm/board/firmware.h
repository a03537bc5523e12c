/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firmware from the disk to a process: bundle.c verifies it, slots.c knows where it lies, rom.c
 * chooses, launch.c starts it.
 */
#ifndef BOARD_FIRMWARE_H
#define BOARD_FIRMWARE_H

#include <sys/types.h>
#include <hsm/fw_manifest.h>
#include "keys.h"

/* ---- bundle.c: the firmware's verified bytes ---- */

#define BUNDLE_MAX_FILES HSM_FW_FILES_MAX

struct bundle_file {
	char role[12];
	char name[64];
	uint8_t hash[BOARD_HASH_SIZE];
	uint64_t size;
	int memfd;
};

/**
 * struct bundle - the firmware, its loader and its libraries, each in a sealed memfd
 * @version: for people
 * @measurement: SHA-384 over what the vendor signed, which has the hash of every byte that will run
 * @vendor: hash of the keys that signed it
 * @development: with keys that a build made for itself
 * @post_quantum: the ML-DSA-87 signature was verified as well
 * @approved: processes start in approved mode, with the FIPS provider
 */
struct bundle {
	unsigned int count;
	uint32_t security_version;
	char version[HSM_FW_VERSION_MAX];
	uint8_t measurement[BOARD_HASH_SIZE];
	uint8_t vendor[BOARD_HASH_SIZE];
	bool development;
	bool post_quantum;
	bool approved;
	struct bundle_file files[BUNDLE_MAX_FILES];
};

/**
 * struct bundle_policy - what the fuses say about firmware
 * @vendor: hash of the vendor's keys
 * @minimum: least security version
 * @production: no development keys
 */
struct bundle_policy {
	const uint8_t *vendor;
	uint32_t minimum;
	bool production;
};

/* vendor.c: hash of the keys that this build signs firmware with, and whether it made them itself */
extern const uint8_t vendor_hash[BOARD_HASH_SIZE];
extern const bool vendor_development;

/**
 * bundle_verify - is this a manifest that the fuses take?
 * @bundle: filled in, without any memfd
 *
 * Return: 0, -EKEYREJECTED for a vendor, keys or a security version that the fuses refuse, -EBADMSG
 * when it does not verify.
 */
int bundle_verify(struct keys *keys, const uint8_t *message, size_t length,
		  const struct bundle_policy *policy, struct bundle *bundle, struct error *error);

/**
 * bundle_load - find, verify and seal the firmware
 * @directory: of the manifest, or NULL: beside the executable, else the installed one
 *
 * Return: 0 or a negative errno, as bundle_verify() or -EBADMSG when a file does not match the
 * manifest.
 */
int bundle_load(struct keys *keys, const char *directory, const struct bundle_policy *policy,
		struct bundle *bundle, struct error *error);

/* bundle_load_image - the same from one file that has all of it */
int bundle_load_image(struct keys *keys, int fd, const struct bundle_policy *policy,
		      struct bundle *bundle, struct error *error);

/* bundle_peek, bundle_peek_image - the manifest alone is read and verified; nothing is to be closed */
int bundle_peek(struct keys *keys, const char *directory, const struct bundle_policy *policy,
		struct bundle *bundle, struct error *error);
int bundle_peek_image(struct keys *keys, int fd, const struct bundle_policy *policy,
		      struct bundle *bundle, struct error *error);
void bundle_close(struct bundle *bundle);

/* bundle_is_development - signed with keys that a build made for itself, this one or another */
bool bundle_is_development(const struct bundle *bundle);

/* bundle_find - the first file of a role, or NULL */
const struct bundle_file *bundle_find(const struct bundle *bundle, const char *role);

/* bundle_approve - have processes start in approved mode. Return: 0, or -ENOENT: it has no FIPS provider. */
int bundle_approve(struct bundle *bundle, struct error *error);

/* ---- slots.c: where firmware lies, and the boot record ---- */

struct board;

/**
 * struct boot_record - what the board starts
 * @active: enum board_place
 * @trial: slot of an update that is under way, 0: none
 * @proven: slots that have been active, 1 << place
 */
struct boot_record {
	uint32_t active;
	uint32_t trial;
	uint32_t proven;
};

/* slots_word - a place for people; slots_file - in the state directory, NULL: elsewhere */
const char *slots_word(enum board_place place);
const char *slots_file(enum board_place place);

/* slots_open - the state directory; a descriptor or a negative errno */
int slots_open(const struct board *board);

/* slots_read - 0, also when there is none yet; -EBADMSG when it is none; slots_write - durable or not at all */
int slots_read(const struct board *board, struct boot_record *record);
int slots_write(const struct board *board, const struct boot_record *record);

/* slots_fill - the staged image is in the slot, and no longer staged */
int slots_fill(const struct board *board, enum board_place slot);

/* slots_load, slots_peek - bundle_load() and bundle_peek() from a place, under the policy of the fuses */
int slots_load(const struct board *board, enum board_place place, struct bundle *bundle,
	       struct error *error);
int slots_peek(const struct board *board, enum board_place place, struct bundle *bundle,
	       struct error *error);

/* ---- rom.c: what starts ---- */

/* rom_report - a line or two about what rom_boot() found, once there is a log */
void rom_report(const struct board *board);

/* rom_boot - choose, verify and load the firmware, and start the state for it; 0 or a negative errno */
int rom_boot(struct board *board, struct error *error);

/* ---- launch.c: a firmware process ---- */

/**
 * struct process - a running firmware
 * @control, @storage: the board's ends, @control non-blocking; @log: read end of its standard error
 */
struct process {
	pid_t pid;
	int pidfd;
	int control;
	int storage;
	int log;
};

/* process_kill - at once */
void process_kill(const struct process *process);

/* launch - start the firmware; 0 or a negative errno */
int launch(const struct bundle *bundle, struct process *process);

#endif /* BOARD_FIRMWARE_H */
