"""One module per page, named after it: everything a page reads, in a pinned number of database queries."""
