/* character.h -- which bytes may be shown to a person. */
#ifndef CHARACTER_H
#define CHARACTER_H

/* Bytes of the UTF-8 character that text begins with; 0 where it is none, or a control character: those of a terminal are
 * U+0000 to U+001F and U+007F to U+009F.                                                                                */
int character_length(const char *text);

/* Makes one line of the text that a terminal does not obey: '?' for each byte of anything else. */
void character_plain(char *text);

/* Whether the text holds a control character. */
int character_controls(const char *text);

#endif
