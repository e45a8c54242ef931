package image

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Kind is a kind of image that a versioned directory may hold.
type Kind struct {
	Suffix string // of the names, ".raw"; empty for directories
	Accept func(fs.FileMode) bool
}

// Directories are directory trees.
func Directories() Kind { return Kind{Accept: fs.FileMode.IsDir} }

// DiskSuffix ends the name of a disk image.
const DiskSuffix = ".raw"

// Disks are files with a file system or a partition table.
func Disks() Kind { return Kind{DiskSuffix, fs.FileMode.IsRegular} }

// versionedSuffix ends the name of a versioned directory.
const versionedSuffix = ".v"

// Newest returns the path that an absolute path of the host stands for: of a versioned directory the newest entry of the kind
// for an architecture of Go, see systemd.v(7), and otherwise the path itself.
func Newest(host fs.FS, name string, kind Kind, goarch string) (string, error) {
	directory, base, suffix, versioned := splitVersioned(path.Clean(name), kind.Suffix)
	if !versioned {
		return name, nil
	}
	entries, err := fs.ReadDir(host, inHost(directory))
	if err != nil {
		return "", err
	}
	var names []string
	for _, entry := range entries {
		// An entry may be a link.
		if info, err := fs.Stat(host, inHost(path.Join(directory, entry.Name()))); err == nil && kind.Accept(info.Mode()) {
			names = append(names, entry.Name())
		}
	}
	newest, found := pick(names, base, suffix, architectures(goarch))
	if !found {
		return "", NoVersionError{directory, base, suffix}
	}
	return path.Join(directory, newest), nil
}

// NoVersionError says that a versioned directory has nothing that this machine can use.
type NoVersionError struct{ Directory, Base, Suffix string }

func (e NoVersionError) Error() string {
	return fmt.Sprintf("versioned directory %s has no %s_VERSION%s for this machine", e.Directory, e.Base, e.Suffix)
}

// Any returns the path that some version would have.
func (e NoVersionError) Any() string { return path.Join(e.Directory, e.Base+"_0"+e.Suffix) }

// inHost returns the name that an absolute path has in a file system that is the host's root.
func inHost(name string) string {
	if name = strings.TrimPrefix(path.Clean(name), "/"); name == "" {
		return "."
	}
	return name
}

// splitVersioned takes a path of one of the two forms of systemd.v(7) apart: NAME.SUFFIX.v and PARENT.v/NAME___.SUFFIX.
func splitVersioned(name, kindSuffix string) (directory, base, suffix string, versioned bool) {
	if base, versioned = strings.CutSuffix(path.Base(name), versionedSuffix); versioned {
		return name, strings.TrimSuffix(base, kindSuffix), kindSuffix, true
	}
	directory, pattern := path.Dir(name), path.Base(name)
	at := strings.LastIndex(pattern, "___")
	if at < 0 || !strings.HasSuffix(directory, versionedSuffix) {
		return "", "", "", false
	}
	return directory, pattern[:at], pattern[at+len("___"):], true
}

// IsVersioned reports whether a path is one of a versioned directory.
func IsVersioned(name string) bool {
	_, _, _, versioned := splitVersioned(path.Clean(name), "")
	return versioned
}

// candidate is a name NAME_VERSION[_ARCHITECTURE][+LEFT[-DONE]].SUFFIX taken apart.
type candidate struct {
	name, version string
	architecture  int // index in the list of those of the machine; one more: none is named
	left, done    uint64
}

// uncounted are the tries left of a name without counters.
const uncounted = ^uint64(0)

// pick returns the newest of the names.
func pick(names []string, base, suffix string, local []string) (newest string, found bool) {
	var best candidate
	for _, name := range names {
		if c, ok := parseCandidate(name, base, suffix, local); ok && (!found || c.compare(best) > 0) {
			best, found = c, true
		}
	}
	return best.name, found
}

// parseCandidate takes a name apart. ok is false if it is none, or is for other machines.
func parseCandidate(name, base, suffix string, local []string) (c candidate, ok bool) {
	variable, ok := strings.CutPrefix(name, base)
	if ok && base != "" {
		variable, ok = strings.CutPrefix(variable, "_")
	}
	if !ok {
		return c, false
	}
	if variable, ok = strings.CutSuffix(variable, suffix); !ok {
		return c, false
	}
	c = candidate{name: name, architecture: len(local), left: uncounted}
	if at := strings.LastIndexByte(variable, '+'); at >= 0 {
		if left, done, ok := parseTries(variable[at+1:]); ok {
			c.left, c.done, variable = left, done, variable[:at]
		}
	}
	if at := strings.LastIndexByte(variable, '_'); at >= 0 && slices.Contains(knownArchitectures(), variable[at+1:]) {
		if c.architecture = slices.Index(local, variable[at+1:]); c.architecture < 0 {
			return c, false
		}
		variable = variable[:at]
	}
	c.version = variable
	return c, validVersion(variable)
}

// parseTries takes LEFT or LEFT-DONE.
func parseTries(text string) (left, done uint64, ok bool) {
	first, second, both := strings.Cut(text, "-")
	left, err := parseDigits(first)
	if err == nil && both {
		done, err = parseDigits(second)
	}
	return left, done, err == nil
}

func parseDigits(text string) (uint64, error) {
	if strings.TrimLeft(text, "0123456789") != "" {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseUint(text, 10, 32)
}

// validVersion accepts what systemd takes for a version.
func validVersion(version string) bool {
	return version != "" && version != "." && version != ".." && strings.IndexFunc(version, func(r rune) bool {
		return !isDigit(r) && !isLetter(r) && !strings.ContainsRune(".,_-+~^", r)
	}) < 0
}

// compare is positive if c is the better choice: one that has tries left, then the newer, then one for the machine's own
// architecture, then one of which less is known to fail.
func (c candidate) compare(other candidate) int {
	usable := func(c candidate) int { return min(1, int(min(c.left, 1))) }
	return cmp.Or(
		cmp.Compare(usable(c), usable(other)),
		CompareVersions(c.version, other.version),
		cmp.Compare(other.architecture, c.architecture),
		cmp.Compare(c.left, other.left),
		cmp.Compare(other.done, c.done),
		strings.Compare(c.name, other.name),
	)
}

// architectures returns the names of ConditionArchitecture= (systemd.unit(5)) that a machine of an architecture of Go runs, its
// own first.
func architectures(goarch string) []string {
	switch goarch {
	case "amd64":
		return []string{"x86-64", "x86"}
	case "386":
		return []string{"x86"}
	case "arm64":
		return []string{"arm64", "arm"}
	case "ppc64le":
		return []string{"ppc64-le", "ppc-le"}
	case "s390x":
		return []string{"s390x", "s390"}
	case "loong64":
		return []string{"loongarch64"}
	}
	return []string{goarch} // arm, riscv64
}

// knownArchitectures are all names of ConditionArchitecture=.
func knownArchitectures() []string {
	return strings.Fields("x86 x86-64 ppc ppc-le ppc64 ppc64-le ia64 parisc parisc64 s390 s390x sparc sparc64 mips mips-le mips64 " +
		"mips64-le alpha arm arm-be arm64 arm64-be sh sh64 m68k tilegx cris arc arc-be riscv32 riscv64 loongarch64 nios2")
}

// findVersioned returns the newest version of a machine in a folder of the search path; none is no error.
func findVersioned(host fs.FS, candidate string, kind Kind, goarch string) (string, error) {
	name := candidate + kind.Suffix + versionedSuffix
	if _, err := fs.Stat(host, inHost(name)); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return Newest(host, name, kind, goarch)
}
