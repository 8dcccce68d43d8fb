#include "config.h"

#include <signal.h>

#include <stdio.h>

#include <sodium.h>

#include "directory/authority/authority.h"

static const struct tm_command commands[] = {
  {"keygen", "--name NAME --out DIR",
   "Make an authority's key pair: DIR/NAME.key (secret) and DIR/NAME.vkey (for everybody's trust file).",
   tm_authority_keygen, NULL},
  {"params", "", "Print a parameters file with all parameters, their ranges and defaults.", tm_authority_params, NULL},
  {"assemble", "--network NAME --params FILE --valid-for SECONDS -o FILE DESCRIPTOR...",
   "Make a document, still unsigned, from the relays' descriptors.", tm_authority_assemble, NULL},
  {"sign", "--key FILE DOCUMENT", "Add this authority's signature to a document.", tm_authority_sign, NULL},
  {"verify", "--trust FILE DOCUMENT", "Say who signed a document and whether clients accept it now.",
   tm_authority_verify, NULL},
};

static const struct tm_program program = {
  .name = "tidemill-authority",
  .about = "Make and sign the directory document of a Tidemill network.",
  .more = "A document is valid once more than two thirds of the authorities in a trust file have signed it. See "
          "tidemill-authority(1).",
  .commands = commands,
  .n = sizeof commands / sizeof commands[0],
};

int main(int argc, char **argv)
{
  signal(SIGPIPE, SIG_IGN);
  if (sodium_init() < 0) {
    fputs("tidemill-authority: libsodium does not start\n", stderr);
    return TM_EXIT_FAILED;
  }
  return tm_program_main(&program, argc, argv, NULL);
}
