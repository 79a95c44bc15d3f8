"""One view of files, over listings or directories: resolved, selected, digested and written."""
