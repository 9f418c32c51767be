#include "plugin/elf_file.hpp"

#include <fcntl.h>
#include <fermata/abi/plugin.h>
#include <fmt/format.h>
#include <gelf.h>
#include <libelf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace fermata::plugin {
namespace {

constexpr std::size_t kMaxManifestBytes = 1u << 20;

struct Closer {
  int fd;
  ~Closer() {
    if (fd >= 0) ::close(fd);
  }
};
using ElfHandle = std::unique_ptr<Elf, decltype(&elf_end)>;

std::string machine_name(unsigned machine) {
  switch (machine) {
    case EM_X86_64: return "x86_64";
    case EM_386: return "i386";
    case EM_AARCH64: return "aarch64";
    case EM_ARM: return "arm";
    case EM_RISCV: return "riscv";
    case EM_PPC64: return "ppc64";
    case EM_S390: return "s390x";
    default: return fmt::format("machine number {}", machine);
  }
}

std::string architecture(const GElf_Ehdr& header) {
  return fmt::format("{} ({} bit)", machine_name(header.e_machine), header.e_ident[EI_CLASS] == ELFCLASS64 ? 64 : 32);
}

// What this process is, from its own file: no table of compiler macros can disagree with it.
std::optional<GElf_Ehdr> own_header() {
  const Closer self{::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)};
  const ElfHandle elf(elf_begin(self.fd, ELF_C_READ, nullptr), &elf_end);
  GElf_Ehdr header;
  if (elf == nullptr || gelf_getehdr(elf.get(), &header) == nullptr) return std::nullopt;
  return header;
}

Status check_header(const std::string& file, Elf* elf) {
  GElf_Ehdr header;
  if (gelf_getehdr(elf, &header) == nullptr)
    return {Code::kInvalidArgument,
            fmt::format("plugin file '{}' is a damaged ELF file ({}); copy or build it again", file, elf_errmsg(-1))};
  if (const auto own = own_header(); own && (own->e_machine != header.e_machine || own->e_ident[EI_CLASS] != header.e_ident[EI_CLASS])) {
    return {Code::kInvalidArgument, fmt::format("plugin file '{}' is built for {}, but this host is {}; build the plugin for this machine",
                                                file, architecture(header), architecture(*own))};
  }
  if (header.e_type != ET_DYN) {
    return {Code::kInvalidArgument,
            fmt::format("plugin file '{}' is ELF but not a shared object; build it as a module with fermata_add_plugin", file)};
  }
  return Status::ok();
}

std::string section_name(Elf* elf, std::size_t names, const GElf_Shdr& header) {
  const char* name = elf_strptr(elf, names, header.sh_name);
  return name == nullptr ? "" : name;
}

void read_symbols(Elf* elf, Elf_Scn* section, const GElf_Shdr& header, ElfFacts& facts) {
  Elf_Data* data = elf_getdata(section, nullptr);
  if (data == nullptr || header.sh_entsize == 0) return;
  const auto count = static_cast<int>(header.sh_size / header.sh_entsize);
  for (int i = 0; i < count; ++i) {
    GElf_Sym symbol;
    if (gelf_getsym(data, i, &symbol) == nullptr) return;
    const auto bind = GELF_ST_BIND(symbol.st_info);
    const auto visibility = GELF_ST_VISIBILITY(symbol.st_other);
    if (symbol.st_shndx == SHN_UNDEF || bind == STB_LOCAL || visibility == STV_HIDDEN || visibility == STV_INTERNAL) continue;
    const char* name = elf_strptr(elf, header.sh_link, symbol.st_name);
    if (name == nullptr) continue;
    facts.exported.emplace_back(name);
    if (bind == STB_GNU_UNIQUE) facts.gnu_unique.emplace_back(name);
  }
}

void read_manifest_section(Elf_Scn* section, const GElf_Shdr& header, ElfFacts& facts) {
  facts.manifest.emplace();
  if (header.sh_type == SHT_NOBITS || header.sh_size > kMaxManifestBytes) return;
  const Elf_Data* data = elf_getdata(section, nullptr);
  if (data == nullptr || data->d_buf == nullptr) return;
  facts.manifest->assign(static_cast<const char*>(data->d_buf), data->d_size);
  facts.manifest->erase(facts.manifest->find_last_not_of('\0') + 1);  // compilers may pad or end it with NUL
}

ElfFacts read_sections(Elf* elf) {
  ElfFacts facts;
  std::size_t names = 0;
  if (elf_getshdrstrndx(elf, &names) != 0) return facts;
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section != nullptr; section = elf_nextscn(elf, section)) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr) continue;
    if (header.sh_type == SHT_DYNSYM) read_symbols(elf, section, header, facts);
    if (section_name(elf, names, header) == FERMATA_MANIFEST_SECTION) read_manifest_section(section, header, facts);
  }
  return facts;
}

}  // namespace

Result<ElfFacts> read_elf(const std::string& file) {
  elf_version(EV_CURRENT);
  const Closer opened{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (opened.fd < 0) {
    const int error = errno;
    const bool missing = error == ENOENT || error == ENOTDIR;
    return Status(missing ? Code::kNotFound : Code::kPermissionDenied,
                  fmt::format("plugin file '{}' {}; {}", file, missing ? "is missing" : fmt::format("cannot be read: {}", strerror(error)),
                              missing ? "install it there, or correct `plugin` or `plugin_dir` in the configuration"
                                      : "make it readable for the user that runs the host"));
  }
  struct stat info = {};
  if (::fstat(opened.fd, &info) != 0 || !S_ISREG(info.st_mode))
    return Status(Code::kInvalidArgument, fmt::format("plugin file '{}' is not a regular file; name the plugin's .so itself", file));

  const ElfHandle elf(elf_begin(opened.fd, ELF_C_READ, nullptr), &elf_end);
  if (elf == nullptr || elf_kind(elf.get()) != ELF_K_ELF)
    return Status(Code::kInvalidArgument, fmt::format("plugin file '{}' is not an ELF shared object; name the plugin's .so", file));
  if (auto checked = check_header(file, elf.get()); !checked) return checked;
  return read_sections(elf.get());
}

}  // namespace fermata::plugin
