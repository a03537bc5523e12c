/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of migrations and backups, for hsmctl-migrate.c: documents as they are, packages (a document and its sealed
 * chunks), custodians' keys and shares. In hsmctl-package.c and hsmctl-share.c.
 */
#ifndef HSMCTL_MIGRATE_H
#define HSMCTL_MIGRATE_H

#include <stdio.h>
#include <hsm/migration.h>
#include "hsmctl.h"

/* migrate_answer - report an answer that is not CKR_OK, with the device's reason. Return: enum ctl_exit */
int migrate_answer(struct ctl *ctl, struct hsm_request *request);

/* struct file - one that was read as a whole; file_free() takes any state */
struct file {
	uint8_t *bytes;
	size_t length;
};

int file_read(struct ctl *ctl, const char *path, struct file *file);
/* file_write - a new file, private to the caller; none is overwritten */
int file_write(struct ctl *ctl, const char *path, const uint8_t *bytes, size_t length);
void file_free(struct file *file);

/**
 * struct package - one that is being read
 * @bytes: of its content, as its head says
 */
struct package {
	FILE *stream;
	const char *path;
	struct file head;
	uint64_t bytes;
};

/* package_open - open the file and read the document at its head */
int package_open(struct ctl *ctl, const char *path, struct package *package);
void package_close(struct package *package);

/* package_head - of a file that is a package keep the document at its head; another stays as it is */
void package_head(struct file *file);

/* package_export - write the document in the answer and then all chunks; package_import - send all chunks */
int package_export(struct ctl *ctl, struct link *link, enum hsm_migration_kind kind, struct hsm_request *answer);
int package_import(struct ctl *ctl, struct link *link, struct package *package);

/* hybrid_read - the P-384 and the ML-KEM-1024 key in a PEM file; hsm_hybrid_free() in any case */
int hybrid_read(struct ctl *ctl, const char *path, bool private, struct hsm_hybrid *key);

/* certificates_put - those of --certificates as field MORE_CERTIFICATES; nothing without that option */
int certificates_put(struct ctl *ctl, struct hsm_writer *writer);

/* shares_put - the shares in the files, NULL after the last, as field SHARES */
int shares_put(struct ctl *ctl, struct hsm_writer *writer, char **paths);

#endif /* HSMCTL_MIGRATE_H */
