/* A manifest, but nothing that could be called. */
typedef int no_code_at_all;
