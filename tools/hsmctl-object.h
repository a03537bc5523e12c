/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects of a token for hsmctl (hsmctl-object.c): templates, searches, and the login of whom they belong to.
 */
#ifndef HSMCTL_OBJECT_H
#define HSMCTL_OBJECT_H

#include "hsmctl.h"

/* object_number, object_flag - an attribute of a template */
void object_number(struct hsm_writer *writer, uint64_t type, uint64_t value);
void object_flag(struct hsm_writer *writer, uint64_t type, bool value);

/* struct handles - what a search has found; the caller frees @list in any case */
struct handles {
	uint64_t *list;
	size_t count;
};

/* object_find - every object that matches @template. Return: enum ctl_exit */
int object_find(struct ctl *ctl, struct link *link, const struct hsm_writer *template, struct handles *handles);

/*
 * link_user - open the partition of --partition and a session, and log in: @user is a CKU_ number; CKU_USER with --user: the one with
 * that name. Return: enum ctl_exit
 */
int link_user(struct ctl *ctl, struct link *link, uint64_t user);

#endif /* HSMCTL_OBJECT_H */
