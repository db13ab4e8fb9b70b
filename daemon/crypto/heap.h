/* SPDX-License-Identifier: GPL-2.0 */
/*
 * heap - size classes over one region, for libraries that insist on malloc
 *
 * The region is cut from front to back; a freed block is wiped and goes to its class's
 * list. Two classes an octave (16, 24, 32, 48, ...): at most a third of a block is
 * lost. Nothing is merged: the libraries ask for the same few sizes again and again.
 * One thread.
 */
#ifndef CRYPTO_HEAP_H
#define CRYPTO_HEAP_H

#include <stddef.h>
#include <stdint.h>

#define HEAP_CLASSES 64

struct heap {
	uint8_t *base;
	size_t size;
	size_t used;
	void *list[HEAP_CLASSES];
};

void heap_init(struct heap *heap, void *base, size_t size);
void *heap_take(struct heap *heap, size_t size);	/* NULL: full, or size 0 */
void *heap_resize(struct heap *heap, void *at, size_t size);
void heap_give(struct heap *heap, void *at);

#endif
