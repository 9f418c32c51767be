#include "app/cli.hpp"
#include "app/serve.hpp"

int main(int argc, char** argv) { return fermata::app::run_cli(argc, argv, fermata::app::serve); }
