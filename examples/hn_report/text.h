/* text.h -- what the page and the terminal are told, made safe for where it goes. */
#ifndef TEXT_H
#define TEXT_H

#include <stdio.h>

/* One line on stderr: "hn_report: ...". Bytes of file names that a terminal would obey become '?'. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Text inside an element or a quoted attribute: markup is escaped; what is no UTF-8, no character of XML or turns the
 * direction of other text becomes U+FFFD.                                                                            */
void text_html(FILE *out, const char *text);

/* printf of one number; a dash for NAN, and %g from 1e16 on, beyond the whole numbers that a double has. */
void text_number(FILE *out, const char *format, double value) __attribute__((format(printf, 2, 0)));

#endif
