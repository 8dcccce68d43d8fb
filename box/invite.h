/*
 * Invite codes (doc/spec/pairing.md): 130 bits that a person can type or read aloud, with a checksum.
 * 26 symbols of Crockford's base32 and 4 of checksum (any change of up to four symbols shows), written as six groups of
 * five: "ABCDE-FGHJK-...". Any thread.
 */
#ifndef TM_BOX_INVITE_H
#define TM_BOX_INVITE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define TM_INVITE_SYMBOLS 30
#define TM_INVITE_SECRET_SYMBOLS 26
#define TM_INVITE_TEXT_LEN 36 /* 30 symbols, 5 hyphens, NUL */
#define TM_INVITE_RANDOM_LEN 26

/* Makes a code from 26 uniform bytes (5 bits of each are used). */
void tm_invite_make(const uint8_t random[static TM_INVITE_RANDOM_LEN], char code[static TM_INVITE_TEXT_LEN]);

/* What is wrong with a typed code, for the message to the user. */
struct tm_invite_error {
  size_t position; /* 1-based symbol with an impossible character; 0: none */
  char character;
  size_t symbols;   /* how many symbols there were; TM_INVITE_SYMBOLS are due */
  int checksum_bad; /* length and characters fine, but mistyped somewhere */
};
/*
 * Reads a code as typed: case, hyphens and white space don't matter; O is 0, I and L are 1. secret: its 26 canonical
 * symbols, the secret that everything is derived from. Errors: TM_E_SYNTAX with *why (the first of: an impossible
 * character, a wrong number of symbols, a wrong checksum); secret is then zero.
 */
int tm_invite_parse(const char *typed, uint8_t secret[static TM_INVITE_SECRET_SYMBOLS],
                    struct tm_invite_error *why) TM_MUST_CHECK;

#endif
