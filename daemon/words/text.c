/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

void text_init(struct text *t, char *base, size_t room)
{
	t->base = base;
	t->room = room;
	t->used = 0;
	t->is_full = false;
	base[0] = '\0';
}

void text_add(struct text *t, const char *format, ...)
{
	size_t left = t->room - t->used;
	va_list list;
	int length;

	if (t->is_full)
		return;
	va_start(list, format);
	length = vsnprintf(t->base + t->used, left, format, list);
	va_end(list);
	if (length < 0 || (size_t)length >= left) {
		t->base[t->used] = '\0';
		t->is_full = true;
		return;
	}
	t->used += (size_t)length;
}

void text_add_bytes(struct text *t, const char *bytes, size_t length)
{
	if (t->is_full || length >= t->room - t->used) {
		t->is_full = true;
		return;
	}
	memcpy(t->base + t->used, bytes, length);
	t->used += length;
	t->base[t->used] = '\0';
}

void text_cut(struct text *t, size_t used)
{
	explicit_bzero(t->base + used, t->room - used);
	t->used = used;
	t->is_full = false;
}

void text_list(struct text *t, const char *item)
{
	text_add(t, "%s%s", t->used ? ", " : "", item);
}
