/* What the client accepts as text and as names. Pure; any thread. */
#ifndef TM_CLIENT_TEXT_H
#define TM_CLIENT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Well-formed UTF-8 (RFC 3629) without NUL. */
bool tm_text_is_utf8(const uint8_t *text, size_t len);
/* A contact's name: 1 to TM_CLIENT_NAME_MAX bytes of UTF-8, no control characters, no space at either end. */
bool tm_text_is_name(const char *name);
/* A file's name without its directory: 1 to 255 bytes of UTF-8, no control characters, no '/', not "." or "..". */
bool tm_text_is_file_name(const char *name, size_t len);

#endif
