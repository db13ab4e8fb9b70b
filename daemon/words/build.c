// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>

#include "algorithm.h"
#include "build.h"

static const char *const program_names[BUILD_PROGRAMS] = {
	[BUILD_OWN] = "own", [BUILD_SODIUM] = "sodium", [BUILD_RUST] = "rust",
};

static int engine_find(const char *name, size_t length)
{
	int engine;

	for (engine = ALGORITHM_ENGINES; engine; engine--)
		if (strlen(algorithm_engine_name((uint32_t)engine)) == length &&
		    !strncmp(algorithm_engine_name((uint32_t)engine), name, length))
			break;
	return engine;
}

/* PROGRAM or own:ENGINE, `length` bytes. */
static struct build build_parse(const char *text, size_t length)
{
	struct build b = { BUILD_NONE, 0 };
	size_t n;
	__u8 p;

	for (p = BUILD_OWN; p < BUILD_PROGRAMS; p++) {
		n = strlen(program_names[p]);
		if (n == length && !strncmp(program_names[p], text, n))
			b.program = p;
	}
	if (!b.program && length > 4 && !strncmp(text, "own:", 4)) {
		b.engine = (__u8)engine_find(text + 4, length - 4);
		b.program = b.engine ? BUILD_OWN : BUILD_NONE;
	}
	return b;
}

int build_take(struct words *w, const char *name, struct build *list)
{
	const char *value, *at;
	unsigned n = 0;
	size_t length;

	if (word_value(w, name, &value))
		return -EINVAL;
	for (at = value;; at += length + 1) {
		length = strcspn(at, ",");
		list[n] = build_parse(at, length);
		if (!list[n].program || n + 1 == IPSP_STACKS_MAX)
			return word_bad(w, name, value, "own, own:ipsecmb, own:openssl, own:sodium, sodium, rust, or "
					"several of them joined by commas, at most 15");
		n++;
		if (!at[length])
			break;
	}
	list[n].program = BUILD_NONE;
	return 0;
}

void build_text(struct text *t, const struct build *b)
{
	text_add(t, "%s", program_names[b->program]);
	if (b->engine)
		text_add(t, ":%s", algorithm_engine_name(b->engine));
}

void build_list_text(struct text *t, const struct build *list)
{
	const struct build *b;

	for (b = list; b->program; b++) {
		text_add(t, "%s", b == list ? "" : ",");
		build_text(t, b);
	}
}

struct build build_of(const struct build *list, unsigned index)
{
	unsigned n = 0;

	while (list[n].program)
		n++;
	return n ? list[index % n] : (struct build){ BUILD_OWN, 0 };
}

const char *build_suffix(const struct build *b)
{
	static const char *const suffix[BUILD_PROGRAMS] = {
		[BUILD_OWN] = "", [BUILD_SODIUM] = "-sodium", [BUILD_RUST] = "-rust",
	};

	return suffix[b->program];
}

const char *build_twice(const struct build *list, unsigned stacks)
{
	struct build a, b;
	unsigned i, j;

	for (i = 0; i < stacks; i++)
		for (j = 0; j < i; j++) {
			a = build_of(list, i);
			b = build_of(list, j);
			if (a.program == b.program && a.engine == b.engine)
				return program_names[a.program];
		}
	return NULL;
}

/* What libsodium and nettle have for all of them */
static bool build_serves(const struct ipsp_sa *sa)
{
	if (sa->protocol != IPSP_ESP || sa->mode == IPSP_SA_BEET || sa->tfc_pad || sa->aead.icv_bits != 128)
		return false;
	if (!strcmp(sa->aead.name, "rfc4106(gcm(aes))"))
		return sa->aead.key_bits == 256 + 32;
	return !strcmp(sa->aead.name, "rfc7539esp(chacha20,poly1305)");
}

/* One of an engine has that one alone: another engine in its place would be another build's twin. */
static bool build_has(const struct build *b, const struct ipsp_sa *sa)
{
	const uint32_t engine[4] = { b->engine };

	if (b->program != BUILD_OWN)
		return build_serves(sa);
	return !b->engine || algorithm_engine(sa, engine);
}

struct build build_lacks(const struct build *list, const struct ipsp_sa *sa)
{
	const struct build *b;

	for (b = list; b->program; b++)
		if (!build_has(b, sa))
			return *b;
	return (struct build){ BUILD_NONE, 0 };
}
