/*
 * Network addresses as text: "127.0.0.1:4711" or "[::1]:4711". Numeric only, so that no look-up ever tells a name
 * server whom we talk to, and canonical, so that one address has one text. Bytes in, answer out; any thread.
 */
#ifndef TM_BASE_ADDRESS_H
#define TM_BASE_ADDRESS_H

#include <stddef.h>

#define TM_ADDRESS_TEXT_MAX 63 /* characters, without the final NUL */

/*
 * Is text (len characters) such an address, as inet_ntop would write it, with a port from 1 to 65535 without leading
 * zeros? IPv6 has no dotted part: addresses that would be written with one are refused. Errors: TM_E_SYNTAX.
 */
int tm_address_check(const char *text, size_t len) __attribute__((warn_unused_result));

#endif
