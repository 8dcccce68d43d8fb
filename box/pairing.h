/*
 * Pairing (doc/spec/pairing.md): from an invite code to two sequences and a safety number. Pure functions; any thread;
 * all secret.
 *
 * From the code come two meeting sequences, one each way, written and read by slot like any other. Three messages:
 *   hello    acceptor -> inviter: ephemeral key
 *   offer    inviter -> acceptor: ephemeral key, and sealed under the pairing key the inviter's read capability
 *   confirm  acceptor -> inviter: sealed the acceptor's read capability
 * The pairing key comes from code, Diffie-Hellman and transcript; then code, ephemeral secrets and meeting sequences
 * are thrown away.
 */
#ifndef TM_BOX_PAIRING_H
#define TM_BOX_PAIRING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "box/box.h"
#include "box/invite.h"

#define TM_PAIRING_EPHEMERAL_LEN 32
#define TM_PAIRING_SAFETY_LEN 32
#define TM_SAFETY_TEXT_LEN 72 /* 12 groups of 5 digits, 11 spaces, NUL */
#define TM_PAIRING_OFFER_RANDOM_LEN 24
#define TM_PAIRING_CONFIRM_RANDOM_LEN 24

enum tm_pairing_message { TM_PAIRING_HELLO = 1, TM_PAIRING_OFFER = 2, TM_PAIRING_CONFIRM = 3 };

/*
 * Both meeting sequences at a slot, straight from the code: here the chain need not forget, because whoever holds the
 * code holds it all. Each side writes with one and reads with the capability of the other; never advance them, derive
 * them anew for each slot.
 */
void tm_pairing_meeting(const uint8_t secret[static TM_INVITE_SECRET_SYMBOLS], uint64_t slot,
                        struct tm_box_writer *inviter, struct tm_box_writer *acceptor);

/* Public ephemeral key of a 32-byte secret. */
void tm_pairing_ephemeral(const uint8_t secret[static 32], uint8_t public_key[static 32]);

/* The type of a meeting box's text. Errors: TM_E_UNKNOWN. */
int tm_pairing_type(const uint8_t text[static TM_BOX_TEXT_LEN], enum tm_pairing_message *type) TM_MUST_CHECK;

void tm_pairing_hello_write(uint8_t text[static TM_BOX_TEXT_LEN], const uint8_t acceptor_public[static 32]);
/* Errors: TM_E_SYNTAX. */
int tm_pairing_hello_read(const uint8_t text[static TM_BOX_TEXT_LEN], uint8_t acceptor_public[static 32]) TM_MUST_CHECK;

/*
 * Inviter: from the acceptor's key, makes the offer with its own capability and the safety bytes (hash over the
 * transcript). Errors: TM_E_POINT (the other's key gives a zero secret); text and safety are then zero.
 */
int tm_pairing_offer_write(uint8_t text[static TM_BOX_TEXT_LEN],
                           const uint8_t code_secret[static TM_INVITE_SECRET_SYMBOLS],
                           const uint8_t inviter_secret[static 32], const uint8_t acceptor_public[static 32],
                           const uint8_t capability[static TM_BOX_CAPABILITY_LEN],
                           const uint8_t random[static TM_PAIRING_OFFER_RANDOM_LEN],
                           uint8_t safety[static TM_PAIRING_SAFETY_LEN]) TM_MUST_CHECK;
/*
 * Acceptor opens it. capability: the inviter's; inviter_public: for the confirm. Errors: TM_E_SYNTAX, TM_E_POINT (the
 * other's key gives a zero secret, or its capability has no good point), TM_E_AUTH (another code or transcript);
 * outputs are then zero.
 */
int tm_pairing_offer_read(const uint8_t text[static TM_BOX_TEXT_LEN],
                          const uint8_t code_secret[static TM_INVITE_SECRET_SYMBOLS],
                          const uint8_t acceptor_secret[static 32], uint8_t inviter_public[static 32],
                          uint8_t capability[static TM_BOX_CAPABILITY_LEN],
                          uint8_t safety[static TM_PAIRING_SAFETY_LEN]) TM_MUST_CHECK;
/* Acceptor's answer. Errors: TM_E_POINT; text is then zero. */
int tm_pairing_confirm_write(uint8_t text[static TM_BOX_TEXT_LEN],
                             const uint8_t code_secret[static TM_INVITE_SECRET_SYMBOLS],
                             const uint8_t acceptor_secret[static 32], const uint8_t inviter_public[static 32],
                             const uint8_t capability[static TM_BOX_CAPABILITY_LEN],
                             const uint8_t random[static TM_PAIRING_CONFIRM_RANDOM_LEN]) TM_MUST_CHECK;
/* Inviter opens it. Errors: TM_E_SYNTAX, TM_E_POINT, TM_E_AUTH, as above; capability is then zero. */
int tm_pairing_confirm_read(const uint8_t text[static TM_BOX_TEXT_LEN],
                            const uint8_t code_secret[static TM_INVITE_SECRET_SYMBOLS],
                            const uint8_t inviter_secret[static 32], const uint8_t acceptor_public[static 32],
                            uint8_t capability[static TM_BOX_CAPABILITY_LEN]) TM_MUST_CHECK;

/*
 * Twelve groups of five digits, each from 40 bits of a hash of the safety bytes mod 100000: the same on both sides or a
 * third party is between them.
 */
void tm_safety_format(const uint8_t safety[static TM_PAIRING_SAFETY_LEN], char text[static TM_SAFETY_TEXT_LEN]);

#endif
