// SPDX-License-Identifier: GPL-2.0
/*
 * test_vectors - published known answers, through each engine that has the algorithm
 *
 * Of a MAC beside NULL the whole message is what is authenticated; of a cipher without a MAC the text alone. RFC 4309
 * has no vectors: its three were computed from AES blocks by RFC 3610's rules, in a program that gives RFC 3610's own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/crypto.h"
#include "words/algorithm.h"
#include "suite.h"

#define NIST_TEXT "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51" \
		  "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
#define COUNT16	"000102030405060708090a0b0c0d0e0f"
#define COUNT32	COUNT16 "101112131415161718191a1b1c1d1e1f"
#define B4	"0b0b0b0b"
#define B16	B4 B4 B4 B4
#define B20	B16 B4
#define A16	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define D10	"dddddddddddddddddddd"
#define HI	"4869205468657265"
#define JEFE	"4a656665"
#define JEFE4	JEFE JEFE JEFE JEFE
#define WHAT	"7768617420646f2079612077616e7420666f72206e6f7468696e673f"
#define ZERO4	"00000000"
#define ZERO12	ZERO4 ZERO4 ZERO4
#define ZERO16	ZERO12 ZERO4
#define SINGLE	"53696e676c6520626c6f636b206d7367"

struct vector {
	const char *source, *name, *key, *iv, *aad, *clear, *sealed;
	enum algorithm_kind kind;
	int icv;			/* bytes; of a MAC, what `sealed` holds */
};

static const struct vector vectors[] = {
	{ "RFC 2202 2.1", "hmac(md5)", B16, "", HI, "", "9294727a3638bb1c13f48ef8", ALGORITHM_AUTH, 12 },
	{ "RFC 2202 2.2", "hmac(md5)", JEFE ZERO12, "", WHAT, "", "750c783e6ab0b503eaa86e31", ALGORITHM_AUTH, 12 },
	{ "RFC 2202 2.3", "hmac(md5)", A16, "", D10 D10 D10 D10 D10, "", "56be34521d144c88dbb8c733", ALGORITHM_AUTH,
	  12 },
	{ "RFC 2202 3.1", "hmac(sha1)", B20, "", HI, "", "b617318655057264e28bc0b6", ALGORITHM_AUTH, 12 },
	{ "RFC 2202 3.2", "hmac(sha1)", JEFE ZERO16, "", WHAT, "", "effcdf6ae5eb2fa2d27416d5", ALGORITHM_AUTH, 12 },
	{ "RFC 2202 3.3", "hmac(sha1)", A16 "aaaaaaaa", "", D10 D10 D10 D10 D10, "", "125d7342b9ac11cd91a39af4",
	  ALGORITHM_AUTH, 12 },
	{ "RFC 4231 4.2", "hmac(sha256)", B20 ZERO12, "", HI, "", "b0344c61d8db38535ca8afceaf0bf12b", ALGORITHM_AUTH,
	  16 },
	{ "RFC 4231 4.3", "hmac(sha256)", JEFE ZERO12 ZERO16, "", WHAT, "", "5bdcc146bf60754e6a042426", ALGORITHM_AUTH,
	  12 },
	{ "RFC 4231 4.2", "hmac(sha384)", B20 ZERO12 ZERO16, "", HI, "",
	  "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec6", ALGORITHM_AUTH, 24 },
	{ "RFC 4231 4.2", "hmac(sha512)", B20 ZERO12 ZERO16 ZERO16, "", HI, "",
	  "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde", ALGORITHM_AUTH, 32 },
	{ "RFC 4868 AUTH256-1", "hmac(sha256)", B16 B16, "", HI, "", "198a607eb44bfbc69903a0f1cf2bbdc5", ALGORITHM_AUTH,
	  16 },
	{ "RFC 4868 AUTH256-2", "hmac(sha256)", JEFE4 JEFE4, "", WHAT, "", "167f928588c5cc2eef8e3093caa0e87c",
	  ALGORITHM_AUTH, 16 },
	{ "RFC 4868 AUTH384-1", "hmac(sha384)", B16 B16 B16, "", HI, "",
	  "b6a8d5636f5c6a7224f9977dcf7ee6c7fb6d0c48cbdee973", ALGORITHM_AUTH, 24 },
	{ "RFC 4868 AUTH384-2", "hmac(sha384)", JEFE4 JEFE4 JEFE4, "", WHAT, "",
	  "2c7353974f1842fd66d53c452ca42122b28c0b594cfb184d", ALGORITHM_AUTH, 24 },
	{ "RFC 4868 AUTH512-1", "hmac(sha512)", B16 B16 B16 B16, "", HI, "",
	  "637edc6e01dce7e6742a99451aae82df23da3e92439e590e43e761b33e910fb8", ALGORITHM_AUTH, 32 },
	{ "RFC 4868 AUTH512-2", "hmac(sha512)", JEFE4 JEFE4 JEFE4 JEFE4, "", WHAT, "",
	  "cb370917ae8a7ce28cfd1d8f4705d6141c173b2a9362c15df235dfb251b15454", ALGORITHM_AUTH, 32 },
	{ "RFC 3566 4.1", "xcbc(aes)", COUNT16, "", "", "", "75f0251d528ac01c4573dfd5", ALGORITHM_AUTH, 12 },
	{ "RFC 3566 4.2", "xcbc(aes)", COUNT16, "", "000102", "", "5b376580ae2f19afe7219cee", ALGORITHM_AUTH, 12 },
	{ "RFC 3566 4.3", "xcbc(aes)", COUNT16, "", COUNT16, "", "d2a246fa349b68a79998a439", ALGORITHM_AUTH, 12 },
	{ "RFC 3566 4.4", "xcbc(aes)", COUNT16, "", COUNT16 "10111213", "", "47f51b4564966215b8985c63", ALGORITHM_AUTH,
	  12 },
	{ "RFC 3566 4.5", "xcbc(aes)", COUNT16, "", COUNT32, "", "f54f0ec8d2b9f3d36807734b", ALGORITHM_AUTH, 12 },
	{ "RFC 3566 4.6", "xcbc(aes)", COUNT16, "", COUNT32 "2021", "", "becbb3bccdb518a30677d548", ALGORITHM_AUTH,
	  12 },
	{ "RFC 4494 4.1", "cmac(aes)", "2b7e151628aed2a6abf7158809cf4f3c", "", "", "", "bb1d6929e95937287fa37d12",
	  ALGORITHM_AUTH, 12 },
	{ "RFC 4494 4.4", "cmac(aes)", "2b7e151628aed2a6abf7158809cf4f3c", "", NIST_TEXT, "",
	  "51f0bebf7e3b9d92fc497417", ALGORITHM_AUTH, 12 },
	{ "RFC 3602 case 1", "cbc(aes)", "06a9214036b8a15b512e03d534120006", "3dafba429d9eb430b422da802c9fac41", "",
	  SINGLE, "e353779c1079aeb82708942dbe77181a", ALGORITHM_CIPHER, 0 },
	{ "RFC 3602 case 2", "cbc(aes)", "c286696d887c9aa0611bbb3e2025a45a", "562e17996d093d28ddb3ba695a2e6f58", "",
	  COUNT32, "d296cd94c2cccf8a3a863028b5e1dc0a7586602d253cfff91b8266bea6d61ab1", ALGORITHM_CIPHER, 0 },
	{ "RFC 3602 case 5, an ESP packet", "cbc(aes)", "90d382b410eeba7ad938c46cec1a82bf",
	  "e96e8c08ab465763fd098d45dd3ff893", "",
	  "08000ebda70a00008e9c083db95b070008090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d"
	  "2e2f"
	  "30313233343536370102030405060708090a0b0c0d0e0e01",
	  "f663c25d325c18c6a9453e194e120849a4870b66cc6b9965330013b4898dc856a4699e523a55db080b59ec3a8e4b7e52775b07d1db34"
	  "ed9c"
	  "538ab50c551b874aa269add047ad2d5913ac19b7cfbad4a6",
	  ALGORITHM_CIPHER, 0 },
	{ "RFC 3686 vector 1", "rfc3686(ctr(aes))",
	  "ae6852f8121067cc4bf7a5765577f39e"
	  "00000030",
	  "0000000000000000", "", SINGLE, "e4095d4fb7a7b3792d6175a3261311b8", ALGORITHM_CIPHER, 0 },
	{ "RFC 3686 vector 2", "rfc3686(ctr(aes))",
	  "7e24067817fae0d743d6ce1f32539163"
	  "006cb6db",
	  "c0543b59da48d90b", "", COUNT32, "5104a106168a72d9790d41ee8edad388eb2e1efc46da57c8fce630df9141be28",
	  ALGORITHM_CIPHER, 0 },
	{ "RFC 3686 vector 7", "rfc3686(ctr(aes))",
	  "776beff2851db06f4c8a0542c8696f6c6a81af1eec96b4d37fc1d689e6c1c104"
	  "00000060",
	  "db5672c97aa8f0b2", "", SINGLE, "145ad01dbf824ec7560863dc71e3e0c0", ALGORITHM_CIPHER, 0 },
	{ "RFC 4312 case 1", "cbc(camellia)", "06a9214036b8a15b512e03d534120006", "3dafba429d9eb430b422da802c9fac41",
	  "", SINGLE, "ea3212763b5010e718f6fd5df68f1351", ALGORITHM_CIPHER, 0 },
	{ "FIPS 81 table C1", "cbc(des)", "0123456789abcdef", "1234567890abcdef", "",
	  "4e6f77206973207468652074696d6520666f7220616c6c20", "e5c7cdde872bf27c43e934008c389c0f683788499a7c05f6",
	  ALGORITHM_CIPHER, 0 },
	{ "NIST TDES-CBC example", "cbc(des3_ede)", "0123456789abcdef23456789abcdef01456789abcdef0123",
	  "f69f2445df4f9b17", "", "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
	  "2079c3d53aa763e193b79e2569ab5262516570481f25b50f73c0bda85c8e0da7", ALGORITHM_CIPHER, 0 },
	{ "RFC 4309, ICV 8", "rfc4309(ccm(aes))", COUNT16 "a0a1a2", "1011121314151617", "0000432100000007",
	  COUNT32 "2021222324252627",
	  "ceab787ee4f90cb7fec6c234d6e0fa366d5d9f2d3d620574b440ceaa50f7896ee22040ff5876a496"
	  "02400a44f01dda32",
	  ALGORITHM_AEAD, 8 },
	{ "RFC 4309, ICV 12", "rfc4309(ccm(aes))", COUNT16 "a0a1a2", "1011121314151617", "0000432100000007",
	  COUNT32 "2021222324252627",
	  "ceab787ee4f90cb7fec6c234d6e0fa366d5d9f2d3d620574b440ceaa50f7896ee22040ff5876a496"
	  "e6b17fbdc8c4556d31a4823d",
	  ALGORITHM_AEAD, 12 },
	{ "RFC 4309, ICV 16", "rfc4309(ccm(aes))", COUNT16 "a0a1a2", "1011121314151617", "0000432100000007",
	  COUNT32 "2021222324252627",
	  "ceab787ee4f90cb7fec6c234d6e0fa366d5d9f2d3d620574b440ceaa50f7896ee22040ff5876a496"
	  "5d8d854fb6cc15b979975240c3e460f5",
	  ALGORITHM_AEAD, 16 },
	{ "RFC 4543, as in draft-mcgrew-gcm-test-01", "rfc4543(gcm(aes))", "4c80cdefbb5d10da906ac73c3613a63422433c64",
	  "0000000000000000", "0000432100000007",
	  "45000030da3a00008001df3bc0a80005c0a800010800c6cd020007006162636465666768696a6b6c6d6e6f707172737401020201",
	  "45000030da3a00008001df3bc0a80005c0a800010800c6cd020007006162636465666768696a6b6c6d6e6f707172737401020201"
	  "f2a9a836e155106aa8dcd618e4099aaa",
	  ALGORITHM_AEAD, 16 },
	{ "RFC 8439 2.8.2", "rfc7539esp(chacha20,poly1305)",
	  "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
	  "07000000",
	  "4041424344454647", "50515253c0c1c2c3c4c5c6c7",
	  "4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a204966204920636f756c64206f"
	  "6666"
	  "657220796f75206f6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73637265656e20776f756c64206265"
	  "2069"
	  "742e",
	  "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e06"
	  "0b29"
	  "05d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586ce"
	  "c64b"
	  "61161ae10b594f09e26a7e902ecbd0600691",
	  ALGORITHM_AEAD, 16 },
};
#define VECTORS (sizeof(vectors) / sizeof(vectors[0]))

static size_t hex(uint8_t *out, const char *text)
{
	size_t n = 0;

	for (; *text; text += 2)
		out[n++] = (uint8_t)strtoul((char[3]){ text[0], text[1], 0 }, NULL, 16);
	return n;
}

/* What is authenticated, IV and text in one row, as in a packet. */
struct row {
	struct ipsp_sa given;
	uint8_t bytes[600], clear[256], sealed[300];
	uint8_t *text;
	struct crypto_message m;
};

static void row_load(struct row *r, const struct vector *v)
{
	struct ipsp_algorithm *a = v->kind == ALGORITHM_AEAD ? &r->given.aead :
				   v->kind == ALGORITHM_AUTH ? &r->given.auth : &r->given.cipher;

	memset(r, 0, sizeof(*r));
	strcpy(a->name, v->name);
	a->key_bits = 8 * (uint32_t)hex(a->key, v->key);
	a->icv_bits = 8 * (uint32_t)v->icv;
	if (v->kind == ALGORITHM_AUTH)
		strcpy(r->given.cipher.name, "ecb(cipher_null)");
	r->m.aad = r->bytes;
	r->m.aad_len = hex(r->bytes, v->aad);
	r->m.iv = r->bytes + r->m.aad_len;
	r->text = r->bytes + r->m.aad_len + hex(r->bytes + r->m.aad_len, v->iv);
	r->m.len = hex(r->clear, v->clear);
	ck_assert_uint_eq(hex(r->sealed, v->sealed), r->m.len + (size_t)v->icv);
}

static void row_seals(struct row *r, const struct vector *v, const uint32_t only[4])
{
	struct crypto_sa sa;

	r->given.direction = IPSP_DIR_OUT;
	ck_assert_uint_eq(crypto_sa_init(&sa, only, &r->given), 0);
	memcpy(r->text, r->clear, r->m.len);
	r->m.from = r->text;
	ck_assert_int_eq(sa.seal(&sa, &r->m, r->text), 0);
	ck_assert_msg(!memcmp(r->text, r->sealed, r->m.len + (size_t)v->icv), "%s by %s", v->source,
		      algorithm_engine_name(only[0]));
	crypto_sa_wipe(&sa);
}

/* Each byte of what is authenticated, of the text and of the ICV is looked at; without an ICV none is. */
static void row_refuses(struct row *r, const struct crypto_sa *sa, const struct vector *v)
{
	size_t whole = (size_t)(r->text - r->bytes) + r->m.len + (size_t)v->icv, i;
	uint8_t out[256];

	for (i = 0; i < whole && v->icv; i++) {
		r->bytes[i] ^= 0x40;
		ck_assert_msg(sa->open(sa, &r->m, r->text + r->m.len, out), "%s, byte %zu", v->source, i);
		r->bytes[i] ^= 0x40;
	}
}

static void row_opens(struct row *r, const struct vector *v, const uint32_t only[4])
{
	struct crypto_sa sa;
	uint8_t out[256];

	r->given.direction = IPSP_DIR_IN;
	ck_assert_uint_eq(crypto_sa_init(&sa, only, &r->given), 0);
	memcpy(r->text, r->sealed, r->m.len + (size_t)v->icv);
	row_refuses(r, &sa, v);
	ck_assert_int_eq(sa.open(&sa, &r->m, r->text + r->m.len, out), 0);
	ck_assert_mem_eq(out, r->clear, r->m.len);
	crypto_sa_wipe(&sa);
}

START_TEST(known_answer)
{
	const struct vector *v = &vectors[_i];
	uint32_t engine, engines = 0;
	struct row r;

	ck_assert_int_eq(crypto_init(), 0);
	for (engine = 1; engine <= ALGORITHM_ENGINES; engine++) {
		const uint32_t only[4] = { engine };

		row_load(&r, v);
		if (!algorithm_engine(&r.given, only))
			continue;
		engines++;
		row_seals(&r, v, only);
		row_opens(&r, v, only);
	}
	ck_assert_msg(engines, "%s: no engine has %s", v->source, v->name);
}
END_TEST

/*
 * What is sealed in rows is a cipher and a MAC. A cipher's known answer is the ciphertext beside any MAC; a MAC's is that
 * of a message whose first 16 bytes are header and IV, and the rest the ciphertext of what AES-CTR makes it from.
 */
static void row_add_mac(struct row *r)
{
	r->given.auth = (struct ipsp_algorithm){ .name = "hmac(sha256)", .key_bits = 256, .icv_bits = 128 };
	memmove(r->bytes + 8, r->bytes, r->m.iv - r->bytes + CRYPTO_IV_MAX);
	r->m.iv = r->bytes + 8;
	r->text += 8;
	memcpy(r->text, r->clear, r->m.len);
}

static void row_add_cipher(struct row *r)
{
	const uint32_t only[4] = { IPSP_ENGINE_OPENSSL };
	struct ipsp_sa alone = { .cipher = { .name = "rfc3686(ctr(aes))", .key_bits = 160 } };
	struct crypto_sa sa;

	r->m.len = r->m.aad_len - 16;
	r->m.iv = r->bytes + 8;
	r->text = r->bytes + 16;
	r->m.from = r->text;
	memmove(r->sealed + r->m.len, r->sealed, CRYPTO_ICV_MAX);
	memcpy(r->sealed, r->text, r->m.len);
	ck_assert_uint_eq(crypto_sa_init(&sa, only, &alone), 0);
	ck_assert_int_eq(sa.seal(&sa, &r->m, r->text), 0);
	r->given.cipher = alone.cipher;
	crypto_sa_wipe(&sa);
}

/* How many bytes of it were known; 0: no engine seals it in rows. */
static size_t row_is_known(const struct vector *v, uint32_t engine)
{
	const uint32_t only[4] = { engine };
	size_t known = 0;
	struct crypto_sa sa;
	struct row r;

	row_load(&r, v);
	if (v->kind == ALGORITHM_CIPHER)
		row_add_mac(&r);
	else if (v->kind == ALGORITHM_AUTH && r.m.aad_len > 16)
		row_add_cipher(&r);
	r.m.aad = r.bytes;
	r.m.aad_len = 8;
	r.m.from = r.text;
	r.given.direction = IPSP_DIR_OUT;
	if (!algorithm_engine(&r.given, only))
		return 0;
	ck_assert_uint_eq(crypto_sa_init(&sa, only, &r.given), 0);
	if (sa.seal_row) {
		known = r.m.len + (size_t)v->icv;
		ck_assert_int_eq(sa.seal_row(&sa, &r.m, 1), 0);
		ck_assert_msg(!memcmp(r.text, r.sealed, known), "%s in a row by %s", v->source,
			      algorithm_engine_name(engine));
	}
	crypto_sa_wipe(&sa);
	return known;
}

START_TEST(rows_give_known_answers)
{
	uint32_t engine, rows = 0;
	size_t i;

	ck_assert_int_eq(crypto_init(), 0);
	for (engine = 1; engine <= ALGORITHM_ENGINES; engine++)
		for (i = 0; i < VECTORS; i++)
			rows += row_is_known(&vectors[i], engine) > 0;
	printf("known answers in rows: %u\n", rows);
	if (__builtin_cpu_supports("aes"))
		ck_assert_uint_ge(rows, 12);
}
END_TEST

/* Every row of the table has a known answer; those of AES-GCM are in test_crypto, NULL is what each MAC stands beside,
 * and RFC 8750 has the bytes of whose IV it does not send: see test_transform. */
START_TEST(no_algorithm_is_left_out)
{
	const struct algorithm *a;
	size_t i;

	for (a = algorithm_table; *a->name; a++) {
		if (!strcmp(a->name, "rfc4106(gcm(aes))") || !strcmp(a->name, "ecb(cipher_null)") ||
		    a->explicit)
			continue;
		for (i = 0; i < VECTORS && strcmp(vectors[i].name, a->name); i++)
			;
		ck_assert_msg(i < VECTORS, "%s", a->name);
	}
}
END_TEST

/* 0, 1000 zeros (RFC 3566 4.7): more than one row of ciphertext that nobody reads. */
START_TEST(xcbc_of_many_blocks)
{
	static const uint8_t want[] = { 0xf0, 0xda, 0xfe, 0xe8, 0x95, 0xdb, 0x30, 0x25, 0x37, 0x61, 0x10, 0x3b };
	struct ipsp_sa given = { .auth = { .name = "xcbc(aes)", .key_bits = 128, .icv_bits = 96 },
				 .cipher = { .name = "ecb(cipher_null)" } };
	const uint32_t any[4] = { 0 };
	uint8_t bytes[1012] = { 0 };
	struct crypto_message m = { .aad = bytes, .aad_len = 1000, .iv = bytes + 1000, .from = bytes + 1000 };
	struct crypto_sa sa;

	hex(given.auth.key, COUNT16);
	ck_assert_int_eq(crypto_init(), 0);
	ck_assert_uint_eq(crypto_sa_init(&sa, any, &given), 0);
	ck_assert_int_eq(sa.seal(&sa, &m, bytes + 1000), 0);
	ck_assert_mem_eq(bytes + 1000, want, sizeof(want));
	crypto_sa_wipe(&sa);
}
END_TEST

/* CBC: of one key and number the same IV, of another number or key another one, and never the number itself. */
START_TEST(secret_iv_is_a_function_of_key_and_number)
{
	struct ipsp_sa given = { .cipher = { .name = "cbc(aes)", .key_bits = 128, .key = "0123456789abcdef" } };
	const uint32_t any[4] = { 0 };
	static uint8_t iv[1000][16];
	struct crypto_sa sa, other;
	uint8_t again[16];
	int i, j;

	ck_assert_int_eq(crypto_init(), 0);
	ck_assert_uint_eq(crypto_sa_init(&sa, any, &given), 0);
	given.cipher.key[0] ^= 1;
	ck_assert_uint_eq(crypto_sa_init(&other, any, &given), 0);
	for (i = 0; i < 1000; i++) {
		crypto_iv(&sa, (uint64_t)i, iv[i]);
		for (j = 0; j < i; j++)
			ck_assert(memcmp(iv[i], iv[j], 8));
	}
	crypto_iv(&sa, 7, again);
	ck_assert_mem_eq(again, iv[7], 16);
	crypto_iv(&other, 7, again);
	ck_assert(memcmp(again, iv[7], 8));
	crypto_sa_wipe(&sa);
	crypto_sa_wipe(&other);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vectors");
	TCase *c = tcase_create("vectors");

	tcase_set_timeout(c, 60);
	tcase_add_loop_test(c, known_answer, 0, (int)VECTORS);
	tcase_add_test(c, rows_give_known_answers);
	tcase_add_test(c, no_algorithm_is_left_out);
	tcase_add_test(c, xcbc_of_many_blocks);
	tcase_add_test(c, secret_iv_is_a_function_of_key_and_number);
	suite_add_tcase(suite, c);
	return suite_run(suite);
}
