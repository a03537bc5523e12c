/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hsmctl doctor from inside: hsmctl-doctor.c runs the checks of one table, from the PCI bus up to applications;
 * the checks of a layer are in the file of its name. A check looks and says; it changes nothing.
 */
#ifndef HSMCTL_DOCTOR_H
#define HSMCTL_DOCTOR_H

#include <sys/types.h>
#include "hsmctl-driver.h"

#define DOCTOR_FUNCTIONS_MAX 256

/* What a check came to; the names in the output are in hsmctl-doctor.c */
enum doctor_verdict {
	DOCTOR_NOTHING,	/* there is nothing of the kind here: not in the list */
	DOCTOR_OK,
	DOCTOR_WARNING,	/* works, but somebody should look */
	DOCTOR_FAILED,
	DOCTOR_SKIPPED,	/* what it stands on is broken */
};

/**
 * struct doctor_finding - what a check says
 * @verdict: enum doctor_verdict
 * @text: what is so, or wrong
 * @advice: what to do about it; "": what the check's row says
 */
struct doctor_finding {
	int verdict;
	char text[320];
	char advice[256];
};

/* Ways to a device, as bits: which ones a check is for */
enum doctor_way {
	DOCTOR_DRIVER = 1 << 0,
	DOCTOR_EMBEDDED = 1 << 1,
	DOCTOR_SOCKET = 1 << 2,
	DOCTOR_ANY = DOCTOR_DRIVER | DOCTOR_EMBEDDED | DOCTOR_SOCKET,
};

/**
 * struct doctor_device - the device that is looked at
 * @name: as it is opened
 * @path: device file, directory or socket
 * @way: one bit of enum doctor_way
 * @asleep: its board has no state yet, so that asking it anything would make one
 * @info: valid once it was opened
 * @list, @count: its partitions
 * @channels: to them, as far as they could be opened
 */
struct doctor_device {
	const char *name;
	char path[PATH_MAX];
	unsigned int way;
	bool asleep;
	struct hsm_device *device;
	struct hsm_device_info info;
	struct hsm_partition_info list[PARTITIONS_MAX];
	size_t count;
	struct hsm_channel *channels[PARTITIONS_MAX];
};

/**
 * struct doctor - one examination
 * @addresses: of the HSM's functions on the PCI bus
 * @driver_wanted: somebody is to use them; otherwise nothing there is more than worth a warning
 * @names, @names_count: devices that are configured, or the one of -d
 * @config_error: why there are none; its text is empty when the configuration is right
 * @config_path, @sections: of hsm.conf
 * @memory: directory in the place of the user's own, for identities remembered while looking; "": none
 * @remembered: where those of the user are
 * @pin: with --deep
 */
struct doctor {
	struct ctl *ctl;
	const struct driver_system *system;
	char addresses[DOCTOR_FUNCTIONS_MAX][16];
	size_t functions;
	bool driver_wanted;
	char **names;
	int names_count;
	struct hsm_error config_error;
	char config_path[HSM_CONFIG_PATH_SIZE];
	int sections;
	char memory[PATH_MAX];
	char remembered[PATH_MAX];
	struct doctor_device device;
	struct secret pin;
};

/* doctor_say - the finding's text. Return: @verdict */
int doctor_say(struct doctor_finding *finding, enum doctor_verdict verdict, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* doctor_advise - instead of what the check's row advises */
void doctor_advise(struct doctor_finding *finding, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* doctor_program - path of the program vhsm, as libhsm finds it. Return: 0 or -ENOENT */
int doctor_program(char path[PATH_MAX]);

/*
 * A check: fills in @finding, whose text is empty before. Return: enum doctor_verdict
 */
typedef int doctor_check_fn(struct doctor *doctor, struct doctor_finding *finding);

/* doctor_run - the verb on a given machine. Return: enum ctl_exit */
int doctor_run(struct ctl *ctl, const struct driver_system *system);

/* ---- hsmctl-doctor-driver.c: the PCI bus, the driver, what it says of the device ---- */
doctor_check_fn doctor_pci_function, doctor_pci_memory, doctor_pci_errors;
doctor_check_fn doctor_driver_module, doctor_driver_signature, doctor_driver_loaded, doctor_driver_version;
doctor_check_fn doctor_driver_bound_to, doctor_driver_bus_master, doctor_driver_node, doctor_driver_permission;
doctor_check_fn doctor_device_state, doctor_device_condition, doctor_device_self_test;
doctor_check_fn doctor_device_sensors, doctor_device_counters;

/* ---- hsmctl-doctor-board.c: a board of software ---- */
doctor_check_fn doctor_board_program, doctor_board_firmware, doctor_board_directory, doctor_board_space;
doctor_check_fn doctor_board_files, doctor_board_lock, doctor_board_socket;

/* ---- hsmctl-doctor-device.c: configuration, libhsm, channel, partitions ---- */
doctor_check_fn doctor_config_file, doctor_config_devices;
doctor_check_fn doctor_device_answers, doctor_device_itself, doctor_device_version, doctor_device_partitions;
doctor_check_fn doctor_channel, doctor_partition_storage, doctor_partition_token, doctor_partition_pins;
doctor_check_fn doctor_partition_room, doctor_partition_moving;

/* doctor_device_open - take the name apart; doctor_device_close - end what the checks have opened */
void doctor_device_open(struct doctor *doctor, const char *name);
void doctor_device_close(struct doctor *doctor);

/* ---- hsmctl-doctor-module.c: PKCS#11, in a process of its own ---- */

/* doctor_module_path - of the PKCS#11 module */
const char *doctor_module_path(void);

doctor_check_fn doctor_module_file, doctor_module_load, doctor_module_start, doctor_module_slots;
doctor_check_fn doctor_module_token, doctor_module_mechanisms, doctor_module_session, doctor_module_sign;

/**
 * doctor_module_run - these checks, one after the other, in a child that a broken module may take down
 * @finding: of each of @count checks
 */
void doctor_module_run(struct doctor *doctor, doctor_check_fn *const *checks,
		       struct doctor_finding *findings, size_t count);

/* ---- hsmctl-doctor-use.c: what applications are told ---- */
doctor_check_fn doctor_p11_kit, doctor_openssl, doctor_pin_file;

#endif /* HSMCTL_DOCTOR_H */
