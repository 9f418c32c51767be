#include "zoo.hpp"

// What an inline variable of a template becomes with gcc's default; written out, so that clang makes it, too.
__asm__(
    ".data\n"
    ".globl zoo_shared\n"
    ".type zoo_shared, @gnu_unique_object\n"
    ".size zoo_shared, 4\n"
    "zoo_shared: .long 0\n"
    ".text\n");

static constexpr fermata_plugin kPlugin = zoo::plugin();
ZOO_ENTRY(kPlugin)
