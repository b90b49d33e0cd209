/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef NETACCT_ROWS_LIB_H
#define NETACCT_ROWS_LIB_H
int rows_pin(int prog_fd, int map_fd, const char *path);
#endif
