/*
 * What went wrong, for a person (text) and for a program (code), carried to where it is printed. The exit codes stand in tidemill(1). No state; any thread.
 */
#ifndef TM_CLIENT_FAILURE_H
#define TM_CLIENT_FAILURE_H

#define TM_FAILURE_TEXT_LEN 700
#define TM_FAILURE_CODE_LEN 32

struct tm_failure {
  char code[TM_FAILURE_CODE_LEN];
  char text[TM_FAILURE_TEXT_LEN];
};

/* Writes both; longer texts are cut. Returns TM_EXIT_FAILED or the exit code that belongs to the code. */
int tm_failure_set(struct tm_failure *f, const char *code, const char *format, ...) __attribute__((format(printf, 3, 4)));

enum tm_client_exit {
  TM_EXIT_PASSPHRASE = 3, /* wrong, or none could be asked for */
  TM_EXIT_NO_CONTACT = 4,
  TM_EXIT_NOT_YET = 5,    /* gave up waiting; the daemon goes on */
  TM_EXIT_NO_STATE = 6    /* no state directory: init makes one */
};
int tm_failure_exit(const char *code);

#endif
