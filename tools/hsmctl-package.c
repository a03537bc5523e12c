// SPDX-License-Identifier: Apache-2.0
/*
 * Packages in files: eight bytes "IHSMPKG1", then the document at the head and the sealed chunks, each with its length
 * before it (u32, little-endian). Nothing in it is secret; a file that is cut or changed is refused by the device.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <hsm/cose.h>
#include "hsmctl-migrate.h"
#include "tool-terminal.h"

#define MAGIC	   HSM_MIGRATION_FILE_MAGIC
#define MAGIC_SIZE 8
#define FILE_MAX   (64 * 1024 * 1024)

/* ---- files ---- */

void file_free(struct file *file)
{
	free(file->bytes);
	*file = (struct file){ 0 };
}

int file_read(struct ctl *ctl, const char *path, struct file *file)
{
	FILE *stream = fopen(path, "re");
	struct stat info;
	bool good;

	if (!stream)
		return fail(ctl, CTL_USAGE, "%s: %s", path, strerror(errno));
	good = !fstat(fileno(stream), &info) && info.st_size > 0 && info.st_size <= FILE_MAX;
	if (good) {
		file->bytes = malloc((size_t)info.st_size);
		good = file->bytes != NULL;
	}
	if (good) {
		file->length = fread(file->bytes, 1, (size_t)info.st_size, stream);
		good = file->length == (size_t)info.st_size;
	}
	fclose(stream);
	return good ? CTL_OK : fail(ctl, CTL_USAGE, "%s: cannot be read, or too long", path);
}

static FILE *create(struct ctl *ctl, const char *path, int *code)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	FILE *stream = fd < 0 ? NULL : fdopen(fd, "w");

	*code = stream ? CTL_OK : fail(ctl, CTL_USAGE, "%s: %s", path, strerror(errno));
	return stream;
}

/* On the disk, or not there at all */
static int finish(struct ctl *ctl, FILE *stream, const char *path, int code)
{
	bool good = !code && !fflush(stream) && !fsync(fileno(stream));

	good = !fclose(stream) && good;
	if (good)
		return CTL_OK;
	unlink(path);
	return code ?: fail(ctl, CTL_USAGE, "%s: cannot be written: %s", path, strerror(errno));
}

int file_write(struct ctl *ctl, const char *path, const uint8_t *bytes, size_t length)
{
	int code;
	FILE *stream = create(ctl, path, &code);

	if (!stream)
		return code;
	if (fwrite(bytes, 1, length, stream) != length)
		code = fail(ctl, CTL_USAGE, "%s: %s", path, strerror(errno));
	return finish(ctl, stream, path, code);
}

/* ---- records ---- */

static bool put_record(FILE *stream, const uint8_t *bytes, size_t length)
{
	uint32_t size = htole32((uint32_t)length);

	return fwrite(&size, sizeof(size), 1, stream) == 1 &&
	       fwrite(bytes, 1, length, stream) == length;
}

static int get_record(struct ctl *ctl, struct package *package, struct file *record)
{
	uint32_t size;

	file_free(record);
	if (fread(&size, sizeof(size), 1, package->stream) != 1 || le32toh(size) > HSM_DATA_MAX)
		return fail(ctl, CTL_USAGE, "%s: cut off, or no package", package->path);
	record->length = le32toh(size);
	record->bytes = malloc(record->length + 1);
	if (!record->bytes ||
	    fread(record->bytes, 1, record->length, package->stream) != record->length)
		return fail(ctl, CTL_USAGE, "%s: cut off", package->path);
	return CTL_OK;
}

/* Bytes of the content, as the document of one of two kinds says; 0: it is neither */
static uint64_t content_bytes(const struct file *head)
{
	static const enum hsm_migration_kind kinds[] = { HSM_MIGRATION_PACKAGE,
							 HSM_MIGRATION_BACKUP };
	struct hsm_migration_document document;
	struct hsm_cose *message;
	const uint8_t *payload;
	uint64_t bytes = 0;
	size_t length;

	for (size_t i = 0; i < 2 && !bytes; i++) {
		if (hsm_cose_read(head->bytes, head->length, hsm_migration_type(kinds[i]),
				  &message))
			continue;
		payload = hsm_cose_payload(message, &length);
		if (!hsm_migration_read(kinds[i], payload, length, &document)) {
			bytes = document.bytes;
			hsm_migration_free(&document);
		}
		hsm_cose_free(message);
	}
	return bytes;
}

int package_open(struct ctl *ctl, const char *path, struct package *package)
{
	char magic[MAGIC_SIZE];
	int code;

	package->path = path;
	package->stream = fopen(path, "re");
	if (!package->stream)
		return fail(ctl, CTL_USAGE, "%s: %s", path, strerror(errno));
	if (fread(magic, sizeof(magic), 1, package->stream) != 1 ||
	    memcmp(magic, MAGIC, sizeof(magic)))
		return fail(ctl, CTL_USAGE, "%s: not a package", path);
	code = get_record(ctl, package, &package->head);
	package->bytes = code ? 0 : content_bytes(&package->head);
	if (!code && !package->bytes)
		code = fail(ctl, CTL_USAGE, "%s: not a package", path);
	return code;
}

void package_close(struct package *package)
{
	if (package->stream)
		fclose(package->stream);
	file_free(&package->head);
}

void package_head(struct file *file)
{
	uint32_t size;

	if (file->length < MAGIC_SIZE + sizeof(size) || memcmp(file->bytes, MAGIC, MAGIC_SIZE))
		return;
	memcpy(&size, file->bytes + MAGIC_SIZE, sizeof(size));
	size = le32toh(size);
	if (size > file->length - MAGIC_SIZE - sizeof(size))
		return;
	memmove(file->bytes, file->bytes + MAGIC_SIZE + sizeof(size), size);
	file->length = size;
}

/* ---- chunks ---- */

static void progress(struct ctl *ctl, const char *what, uint64_t done, uint64_t all)
{
	if (!ctl->json)
		progress_show(what, done ? done - 1 : 0, done, all);
}

static int export_chunk(struct ctl *ctl, struct link *link, uint64_t number, FILE *stream)
{
	struct hsm_request *request = link_request(ctl, link, HSM_OP_MIGRATE_EXPORT);
	const uint8_t *bytes;
	size_t length;
	int code = request ? CTL_OK : CTL_DEVICE;

	if (!code) {
		hsm_put_u64(hsm_request_writer(request), HSM_FIELD_CHUNK, number);
		code = link_call(ctl, request);
	}
	if (!code) {
		bytes = hsm_fields_bytes(hsm_request_fields(request), HSM_FIELD_DATA, &length);
		if (!length)
			code = fail(ctl, CTL_DEVICE, "the device gave an empty chunk");
		else if (!put_record(stream, bytes, length))
			code = fail(ctl, CTL_USAGE, "%s: %s", ctl->output, strerror(errno));
	}
	hsm_request_free(request);
	return code;
}

int package_export(struct ctl *ctl, struct link *link, enum hsm_migration_kind kind,
		   struct hsm_request *answer)
{
	uint64_t chunks, number, bytes;
	struct file head = { 0 };
	FILE *stream;
	int code;

	(void)kind;
	head.bytes = (uint8_t *)hsm_fields_bytes(hsm_request_fields(answer), HSM_FIELD_DOCUMENT,
						 &head.length);
	bytes = head.bytes ? content_bytes(&head) : 0;
	if (!bytes)
		return fail(ctl, CTL_DEVICE, "the device gave no document that says what comes");
	chunks = (bytes + HSM_MIGRATION_CHUNK - 1) / HSM_MIGRATION_CHUNK;
	stream = create(ctl, ctl->output, &code);
	if (!stream)
		return code;
	if (fwrite(MAGIC, MAGIC_SIZE, 1, stream) != 1 ||
	    !put_record(stream, head.bytes, head.length))
		code = fail(ctl, CTL_USAGE, "%s: %s", ctl->output, strerror(errno));
	for (number = 0; number < chunks && !code; number++) {
		code = export_chunk(ctl, link, number, stream);
		progress(ctl, "exported", number + 1, chunks);
	}
	code = finish(ctl, stream, ctl->output, code);
	if (!code) {
		put_string(ctl->result, "output", ctl->output);
		put_number(ctl->result, "chunks", chunks);
		put_number(ctl->result, "bytes", bytes);
	}
	return code;
}

static int import_chunk(struct ctl *ctl, struct link *link, uint64_t number,
			const struct file *chunk)
{
	struct hsm_request *request = link_request(ctl, link, HSM_OP_IMPORT_CHUNK);
	int code = request ? CTL_OK : CTL_DEVICE;

	if (!code) {
		hsm_put_u64(hsm_request_writer(request), HSM_FIELD_CHUNK, number);
		hsm_put_bytes(hsm_request_writer(request), HSM_FIELD_DATA, chunk->bytes,
			      chunk->length);
		code = link_try(ctl, request) ?: migrate_answer(ctl, request);
	}
	hsm_request_free(request);
	return code;
}

int package_import(struct ctl *ctl, struct link *link, struct package *package)
{
	uint64_t chunks = (package->bytes + HSM_MIGRATION_CHUNK - 1) / HSM_MIGRATION_CHUNK, number;
	struct file chunk = { 0 };
	int code = CTL_OK;

	for (number = 0; number < chunks && !code; number++) {
		code = get_record(ctl, package, &chunk);
		code = code ?: import_chunk(ctl, link, number, &chunk);
		progress(ctl, "imported", number + 1, chunks);
	}
	file_free(&chunk);
	return code;
}
