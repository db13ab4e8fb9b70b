// SPDX-License-Identifier: GPL-2.0
#include "heap.h"

#include <string.h>

#define HEAP_LEAST 16

/* Before each block; keeps the block aligned to 16 bytes. */
struct heap_block {
	uint32_t class;
	uint32_t reserved;
	uint64_t asked;
};

static size_t heap_class_size(unsigned class)
{
	size_t octave = (size_t)HEAP_LEAST << (class / 2);

	return class & 1 ? octave + octave / 2 : octave;
}

static unsigned heap_class(size_t size)
{
	unsigned class = 0;

	while (class < HEAP_CLASSES && heap_class_size(class) < size)
		class++;
	return class;
}

static struct heap_block *heap_block(void *at)
{
	return (struct heap_block *)at - 1;
}

void heap_init(struct heap *heap, void *base, size_t size)
{
	size_t skew = -(uintptr_t)base & 15;

	memset(heap, 0, sizeof(*heap));
	heap->base = (uint8_t *)base + (skew < size ? skew : size);
	heap->size = size - (skew < size ? skew : size);
}

/* A block of the class that was never used: the next bytes of the region. */
static void *heap_cut(struct heap *heap, unsigned class)
{
	/* 24 is no multiple of 16, so an odd class's blocks are rounded up. */
	size_t room = (heap_class_size(class) + 15) & ~(size_t)15;
	struct heap_block *block;

	if (room > heap->size - heap->used ||
	    sizeof(*block) > heap->size - heap->used - room)
		return NULL;
	block = (struct heap_block *)(heap->base + heap->used);
	heap->used += sizeof(*block) + room;
	block->class = class;
	return block + 1;
}

void *heap_take(struct heap *heap, size_t size)
{
	unsigned class = heap_class(size);
	void *at;

	if (!size || class == HEAP_CLASSES)
		return NULL;
	at = heap->list[class];
	if (at)
		memcpy(&heap->list[class], at, sizeof(void *));
	else
		at = heap_cut(heap, class);
	if (at)
		heap_block(at)->asked = size;
	return at;
}

void heap_give(struct heap *heap, void *at)
{
	unsigned class;

	if (!at)
		return;
	class = heap_block(at)->class;
	explicit_bzero(at, heap_class_size(class));
	memcpy(at, &heap->list[class], sizeof(void *));
	heap->list[class] = at;
}

void *heap_resize(struct heap *heap, void *at, size_t size)
{
	size_t asked;
	void *to;

	if (!at)
		return heap_take(heap, size);
	if (!size) {
		heap_give(heap, at);
		return NULL;
	}
	asked = heap_block(at)->asked;
	if (size <= heap_class_size(heap_block(at)->class)) {
		heap_block(at)->asked = size;
		return at;
	}
	to = heap_take(heap, size);
	if (to) {
		memcpy(to, at, asked < size ? asked : size);
		heap_give(heap, at);
	}
	return to;
}
