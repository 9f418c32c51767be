#include "app/cli_commands.hpp"

#include <string_view>

namespace fermata::app {
namespace {

// Asks the daemon for the names of services and locations; without a daemon there is nothing to offer. Names never go
// through `compgen -W`, which would run what stands in $(..).
constexpr std::string_view kBash = R"sh(_fermata_names() {
  local name
  while IFS= read -r name; do
    [[ $name == "$word"* ]] && COMPREPLY+=("$(printf %q "$name")")
  done < <(fermata names "$@" 2>/dev/null)
}
_fermata() {
  COMPREPLY=()
  local word=${COMP_WORDS[COMP_CWORD]} position=0 i words=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      --url|--reason|--wait|--hours|--at|--after|--config|--port|--limit) ((i++)) ;;
      -*) ;;
      *) words+=("${COMP_WORDS[i]}") ;;
    esac
  done
  position=${#words[@]}
  local choices=
  case ${COMP_WORDS[COMP_CWORD-1]} in
    --config) COMPREPLY=($(compgen -f -- "$word")); return ;;
  esac
  if [[ $word == -* ]]; then
    choices="--help --url --json --quiet"
    case ${words[0]-} in
      pause|resume) choices+=" --reason --wait" ;;
      schedule) choices+=" --hours --at --after" ;;
      retry) choices+=" --all" ;;
      audit) choices+=" --limit" ;;
      serve) choices+=" --config --port" ;;
    esac
  elif ((position == 0)); then
    choices="@COMMANDS@"
  else
    case ${words[0]}:$position in
      config:1) choices="check reference schema" ;;
      plugin:1) choices="check" ;;
      completion:1) choices="bash zsh" ;;
      config:2|plugin:2) COMPREPLY=($(compgen -f -- "$word")); return ;;
      status:1|pause:1|resume:1|schedule:1|unschedule:1|failed:1|retry:1) _fermata_names ;;
      status:2|failed:2|retry:2) _fermata_names "${words[1]}" ;;
      pause:2|resume:2|schedule:2|unschedule:2) choices=all; _fermata_names "${words[1]}" ;;
    esac
  fi
  COMPREPLY+=($(compgen -W "$choices" -- "$word"))
}
complete -F _fermata fermata
)sh";

}  // namespace

std::string completion_script(const std::string& shell, const std::vector<std::string>& commands) {
  constexpr std::string_view kCommands = "@COMMANDS@";
  std::string list;
  for (const auto& command : commands) list.append(list.empty() ? "" : " ").append(command);
  std::string script(kBash);
  script.replace(script.find(kCommands), kCommands.size(), list);
  return shell == "zsh" ? "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n" + script : script;
}

}  // namespace fermata::app
