/*
 * Measures the GOST engine of OpenSSL through EVP. Questions come on standard
 * input, a line each, and each gets one line as answer:
 *
 *   key NAME SPKI PKCS8 DIGEST SIGNATURE   takes a key, DER in hexadecimal, and
 *                                          verifies a signature: "true", "false"
 *   signature NAME                         a signature over that key's DIGEST
 *   verify NAME MS                         verifies for so many milliseconds
 *   verify-decoded NAME MS                 the same, the key decoded each time
 *   sign NAME MS
 *   hash BYTES MS                          GOST R 34.11-94 of so many zeros
 *   digest HEX                             the digest of a message
 *
 * A measurement answers "OPERATIONS NANOSECONDS". What goes wrong is "error"
 * and why. The time is taken here, so that a pipe costs nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#define MAX_KEYS 8
#define MAX_LINE (1 << 16)

struct key {
    char name[32];
    unsigned char *spki;
    long spki_length;
    EVP_PKEY *public_key, *private_key;
    EVP_PKEY_CTX *verifier, *signer;
    unsigned char digest[32], signature[64];
};

static struct key keys[MAX_KEYS];
static int key_count;
static ENGINE *engine;
static const EVP_MD *hash;

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void fail(const char *what)
{
    char text[256] = "";
    unsigned long e = ERR_peek_last_error();
    if (e)
        ERR_error_string_n(e, text, sizeof text);
    ERR_clear_error();
    printf("error %s %s\n", what, text);
}

static unsigned char *bytes_of(const char *hex, long *length)
{
    return hex ? OPENSSL_hexstr2buf(hex, length) : NULL;
}

static void print_hex(const unsigned char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        printf("%02x", b[i]);
    printf("\n");
}

static struct key *find(const char *name)
{
    for (int i = 0; name && i < key_count; i++)
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    return NULL;
}

static EVP_PKEY *decode_public(const struct key *k)
{
    const unsigned char *p = k->spki;
    return d2i_PUBKEY(NULL, &p, k->spki_length);
}

static int verify_with(EVP_PKEY_CTX *ctx, const struct key *k)
{
    return EVP_PKEY_verify(ctx, k->signature, sizeof k->signature, k->digest, sizeof k->digest) == 1;
}

static int verify(struct key *k) { return verify_with(k->verifier, k); }

static int verify_decoded(struct key *k)
{
    EVP_PKEY *public_key = decode_public(k);
    EVP_PKEY_CTX *ctx = public_key ? EVP_PKEY_CTX_new(public_key, engine) : NULL;
    int ok = ctx && EVP_PKEY_verify_init(ctx) == 1 && verify_with(ctx, k);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(public_key);
    return ok;
}

static int sign(struct key *k)
{
    unsigned char out[128];
    size_t n = sizeof out;
    return EVP_PKEY_sign(k->signer, out, &n, k->digest, sizeof k->digest) == 1 && n == 64;
}

static void add_key(char **arg)
{
    long n;
    if (key_count == MAX_KEYS || !arg[1] || !arg[5]) {
        fail("key");
        return;
    }
    struct key *k = &keys[key_count];
    memset(k, 0, sizeof *k);
    snprintf(k->name, sizeof k->name, "%s", arg[1]);
    k->spki = bytes_of(arg[2], &k->spki_length);
    unsigned char *pkcs8 = bytes_of(arg[3], &n);
    const unsigned char *p = pkcs8;
    PKCS8_PRIV_KEY_INFO *info = p ? d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, n) : NULL;
    k->private_key = info ? EVP_PKCS82PKEY(info) : NULL;
    PKCS8_PRIV_KEY_INFO_free(info);
    OPENSSL_free(pkcs8);
    unsigned char *digest = bytes_of(arg[4], &n);
    if (digest && n == 32)
        memcpy(k->digest, digest, 32);
    unsigned char *signature = bytes_of(arg[5], &n);
    if (signature && n == 64)
        memcpy(k->signature, signature, 64);
    OPENSSL_free(digest);
    OPENSSL_free(signature);
    k->public_key = k->spki ? decode_public(k) : NULL;
    if (!k->public_key || !k->private_key) {
        fail("key is not read");
        return;
    }
    k->verifier = EVP_PKEY_CTX_new(k->public_key, engine);
    k->signer = EVP_PKEY_CTX_new(k->private_key, engine);
    if (!k->verifier || EVP_PKEY_verify_init(k->verifier) != 1 || !k->signer || EVP_PKEY_sign_init(k->signer) != 1) {
        fail("key is not taken");
        return;
    }
    key_count++;
    printf("%s\n", verify(k) && verify_decoded(k) ? "true" : "false");
}

static void signature(struct key *k)
{
    unsigned char out[128];
    size_t n = sizeof out;
    if (!k || EVP_PKEY_sign(k->signer, out, &n, k->digest, sizeof k->digest) != 1)
        fail("signature");
    else
        print_hex(out, n);
}

static void measure(struct key *k, const char *ms, int (*operation)(struct key *))
{
    if (!k || !ms) {
        fail("no such key");
        return;
    }
    long long begin = now(), end = begin + atoll(ms) * 1000000LL, operations = 0, at;
    do {
        if (!operation(k)) {
            fail("operation");
            return;
        }
        operations++;
        at = now();
    } while (at < end);
    printf("%lld %lld\n", operations, at - begin);
}

static int hash_once(EVP_MD_CTX *ctx, const unsigned char *message, size_t n, unsigned char *out)
{
    unsigned int length;
    return EVP_DigestInit_ex(ctx, hash, engine) && EVP_DigestUpdate(ctx, message, n) && EVP_DigestFinal_ex(ctx, out, &length);
}

static void measure_hash(const char *size, const char *ms)
{
    size_t n = size ? strtoull(size, NULL, 10) : 0;
    unsigned char *message = calloc(n + 1, 1), out[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ms || !message || !ctx) {
        fail("hash");
    } else {
        memset(message, 1, n); /* pages that are really there */
        long long begin = now(), end = begin + atoll(ms) * 1000000LL, operations = 0, at;
        do {
            if (!hash_once(ctx, message, n, out))
                break;
            operations++;
            at = now();
        } while (at < end);
        if (operations == 0)
            fail("hash");
        else
            printf("%lld %lld\n", operations, at - begin);
    }
    EVP_MD_CTX_free(ctx);
    free(message);
}

static void digest(const char *hex)
{
    long n;
    unsigned char out[EVP_MAX_MD_SIZE], *message = bytes_of(hex, &n);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (message && ctx && hash_once(ctx, message, n, out))
        print_hex(out, 32);
    else
        fail("digest");
    EVP_MD_CTX_free(ctx);
    OPENSSL_free(message);
}

int main(void)
{
    static char line[MAX_LINE];
    ENGINE_load_dynamic();
    engine = ENGINE_by_id("gost");
    if (!engine || !ENGINE_init(engine) || !ENGINE_set_default(engine, ENGINE_METHOD_ALL)) {
        fail("no engine gost");
        return 1;
    }
    hash = EVP_get_digestbyname("md_gost94");
    if (!hash) {
        fail("no digest md_gost94");
        return 1;
    }
    printf("%s\n", OpenSSL_version(OPENSSL_VERSION));
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        char *arg[8] = {0};
        int n = 0;
        for (char *word = strtok(line, " \r\n"); word && n < 8; word = strtok(NULL, " \r\n"))
            arg[n++] = word;
        const char *what = n ? arg[0] : "";
        if (strcmp(what, "key") == 0)
            add_key(arg);
        else if (strcmp(what, "signature") == 0)
            signature(find(arg[1]));
        else if (strcmp(what, "verify") == 0)
            measure(find(arg[1]), arg[2], verify);
        else if (strcmp(what, "verify-decoded") == 0)
            measure(find(arg[1]), arg[2], verify_decoded);
        else if (strcmp(what, "sign") == 0)
            measure(find(arg[1]), arg[2], sign);
        else if (strcmp(what, "hash") == 0)
            measure_hash(arg[1], arg[2]);
        else if (strcmp(what, "digest") == 0)
            digest(arg[1]);
        else
            printf("error unknown question\n");
        fflush(stdout);
    }
    return 0;
}
