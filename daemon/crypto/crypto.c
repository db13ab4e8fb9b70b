// SPDX-License-Identifier: GPL-2.0
#include "crypto.h"

#include <string.h>

const struct crypto_engine *const crypto_engines[] = { &crypto_openssl, NULL };

int crypto_init(void)
{
	const struct crypto_engine *const *engine;

	for (engine = crypto_engines; *engine; engine++)
		if ((*engine)->init())
			return -1;
	return 0;
}

static int crypto_has(const struct crypto_engine *engine, const char *name)
{
	const char *const *algorithm;

	for (algorithm = engine->algorithms; *algorithm; algorithm++)
		if (!strcmp(*algorithm, name))
			return 1;
	return 0;
}

static const struct crypto_engine *crypto_find(uint32_t id, const char *name)
{
	const struct crypto_engine *const *engine;

	for (engine = crypto_engines; *engine; engine++)
		if ((!id || (*engine)->id == id) && crypto_has(*engine, name))
			return *engine;
	return NULL;
}

uint16_t crypto_sa_init(struct crypto_sa *sa, const uint32_t preference[4],
			const struct ipsp_algorithm *algorithm, int seals)
{
	const struct crypto_engine *engine = NULL;
	int i;

	memset(sa, 0, sizeof(*sa));
	if (strnlen(algorithm->name, sizeof(algorithm->name)) == sizeof(algorithm->name))
		return IPSP_DROP_UNSUPPORTED;
	if (!preference[0])
		engine = crypto_find(0, algorithm->name);
	for (i = 0; i < 4 && preference[i] && !engine; i++)
		engine = crypto_find(preference[i], algorithm->name);
	return engine ? engine->sa_init(sa, algorithm, seals) : IPSP_DROP_UNSUPPORTED;
}

void crypto_sa_wipe(struct crypto_sa *sa)
{
	if (sa->engine)
		sa->engine->sa_wipe(sa);
	explicit_bzero(sa, sizeof(*sa));
}
