/*
 * sim_rows: SEARCH's paging header.
 */
#ifndef SIM_ROWS_H
#define SIM_ROWS_H

#include <stdbool.h>
#include <stddef.h>

enum sim_rows_result { SIM_ROWS_OK, SIM_ROWS_BAD, SIM_ROWS_BEYOND /* 416 */ };

/*
 * "rows=0-99", "rows=228-", "rows=-50", "rows=0-4,-5", "rows=-0": marks what is wanted of `total` rows, and tells the
 * first and last of them. Nothing wanted: *ret_count is 0.
 */
enum sim_rows_result sim_rows_parse(const char *header, size_t total, bool *wanted, size_t *ret_first, size_t *ret_last,
                                    size_t *ret_count);

#endif
