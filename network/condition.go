package network

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"

	"nspawnkit/image"
	"nspawnkit/settings"
)

// condition is one of [Match] that is about the host, not about the link. The function says whether value holds, or why that cannot be
// told.
type condition struct {
	name string
	test func(h facts, value string) (bool, error)
}

// conditions are those of systemd.unit(5) that [Match] has.
var conditions = [...]condition{
	{"Host", facts.isHost},
	{"Virtualization", facts.isVirtualization},
	{"KernelCommandLine", facts.hasKernelOption},
	{"KernelVersion", func(h facts, v string) (bool, error) { return matchesVersion(h.text("proc/sys/kernel/osrelease"), v) }},
	{"Version", facts.isVersion},
	{"Architecture", facts.isArchitecture},
	{"Firmware", facts.isFirmware},
	{"MachineTag", facts.hasTag},
}

// setCondition takes a condition of the host. Of several with one name the last counts; an empty value is none.
func (f *File) setCondition(s settings.Statement) (isCondition bool) {
	if s.Section != "Match" || !slices.ContainsFunc(conditions[:], func(c condition) bool { return c.name == s.Key }) {
		return false
	}
	f.Match.host = slices.DeleteFunc(f.Match.host, func(c hostCondition) bool { return c.name == s.Key })
	if s.Value != "" {
		f.Match.host = append(f.Match.host, hostCondition{s.Origin, s.Key, s.Value})
	}
	return true
}

// hostCondition is a line of [Match] about the host.
type hostCondition struct {
	origin      settings.Origin
	name, value string
}

// testHost tests the conditions about the host.
func (f *File) testHost(h facts) {
	for _, c := range f.Match.host {
		i := slices.IndexFunc(conditions[:], func(known condition) bool { return known.name == c.name })
		value, negated := strings.CutPrefix(c.value, "!")
		holds, err := conditions[i].test(h, strings.TrimSpace(value))
		if err != nil {
			f.cannotMatch(settings.Problem{Origin: c.origin, Text: fmt.Sprintf("[Match] %s=: %v", c.name, err)})
		} else if holds == negated {
			f.Match.elsewhere = true
		}
	}
}

// facts are what the files of a host say about it.
type facts struct{ root fs.FS }

// text returns the content of a file without white space around it; empty: there is none.
func (h facts) text(name string) string {
	data, _ := fs.ReadFile(h.root, name)
	return strings.TrimSpace(string(data))
}

func (h facts) exists(name string) bool {
	_, err := fs.Stat(h.root, name)
	return err == nil
}

// isHost compares with the name of the host, or with its machine ID, boot ID or product UUID.
func (h facts) isHost(value string) (bool, error) {
	plain := strings.ToLower(strings.ReplaceAll(value, "-", ""))
	if len(plain) == 32 && strings.Trim(plain, "0123456789abcdef") == "" {
		for _, name := range []string{"etc/machine-id", "proc/sys/kernel/random/boot_id", "sys/class/dmi/id/product_uuid"} {
			if strings.ToLower(strings.ReplaceAll(h.text(name), "-", "")) == plain {
				return true, nil
			}
		}
		return false, nil
	}
	return matchGlob(strings.ToLower(value), strings.ToLower(h.text("proc/sys/kernel/hostname")))
}

// isVirtualization tells a virtual machine by the processor's flags and a container by what its manager left for systemd. Which virtual
// machine it is only the processor itself tells for sure, so that is not tested.
func (h facts) isVirtualization(value string) (bool, error) {
	container := h.text("run/systemd/container")
	cpu := h.text("proc/cpuinfo")
	vm := container == "" && (slices.Contains(strings.Fields(cpu), "hypervisor") || h.exists("sys/hypervisor/type"))
	if on, err := settings.ParseBool(value); err == nil {
		return (vm || container != "") == on, nil
	}
	switch {
	case value == "container":
		return container != "", nil
	case value == "vm":
		return vm, nil
	case value == "private-users":
		fields := strings.Fields(h.text("proc/self/uid_map"))
		return len(fields) > 0 && !slices.Equal(fields, []string{"0", "0", "4294967295"}), nil
	case vm:
		return false, errors.New("networkd-lite does not tell virtual machines apart")
	}
	return container != "" && container == value, nil
}

// hasKernelOption looks for a word, or for its left hand side.
func (h facts) hasKernelOption(value string) (bool, error) {
	for option := range strings.FieldsSeq(h.text("proc/cmdline")) {
		name, _, _ := strings.Cut(option, "=")
		if option == value || name == value {
			return true, nil
		}
	}
	return false, nil
}

// isVersion compares the version of the kernel.
func (h facts) isVersion(value string) (bool, error) {
	software, expressions, _ := strings.Cut(value, " ")
	switch software {
	case "systemd", "glibc":
		return false, fmt.Errorf("networkd-lite does not know the version of %s", software)
	case "kernel":
		value = expressions
	}
	return matchesVersion(h.text("proc/sys/kernel/osrelease"), value)
}

// matchesVersion tests all expressions, each an operator and a version with or without white space between.
func matchesVersion(version, expressions string) (bool, error) {
	words := strings.Fields(strings.NewReplacer(`"`, "", "'", "").Replace(expressions))
	for i := 0; i < len(words); i++ {
		operator, operand := "$=", words[i]
		for _, known := range []string{"!$=", "$=", "==", "!=", "<>", "<=", ">=", "=", "<", ">"} {
			if rest, found := strings.CutPrefix(words[i], known); found {
				operator, operand = known, rest
				break
			}
		}
		if operand == "" && i+1 < len(words) {
			i++
			operand = words[i]
		}
		if holds, err := compareVersion(version, operator, operand); err != nil || !holds {
			return false, err
		}
	}
	return len(words) > 0, nil
}

func compareVersion(version, operator, operand string) (bool, error) {
	order := image.CompareVersions(version, operand)
	switch operator {
	case "=":
		return version == operand, nil
	case "!=":
		return version != operand, nil
	case "<":
		return order < 0, nil
	case "<=":
		return order <= 0, nil
	case "==":
		return order == 0, nil
	case "<>":
		return order != 0, nil
	case ">=":
		return order >= 0, nil
	case ">":
		return order > 0, nil
	}
	holds, err := matchGlob(operand, version)
	return holds == (operator == "$="), err
}

// isArchitecture compares with systemd's names.
func (h facts) isArchitecture(value string) (bool, error) {
	own := map[string]string{
		"x86_64": "x86-64", "i386": "x86", "i486": "x86", "i586": "x86", "i686": "x86", "aarch64": "arm64", "aarch64_be": "arm64-be",
		"armv6l": "arm", "armv7l": "arm", "armv8l": "arm", "riscv64": "riscv64", "riscv32": "riscv32", "ppc64le": "ppc64-le",
		"ppc64": "ppc64", "ppc": "ppc", "s390x": "s390x", "s390": "s390", "loongarch64": "loongarch64", "parisc64": "parisc64",
		"alpha": "alpha", "sparc64": "sparc64", "ia64": "ia64", "m68k": "m68k",
	}[h.text("proc/sys/kernel/arch")] // Linux 6.1
	native := map[string]string{"amd64": "x86-64", "386": "x86", "arm64": "arm64", "arm": "arm", "ppc64le": "ppc64-le", "loong64": "loongarch64"}[runtime.GOARCH]
	if native == "" {
		native = runtime.GOARCH // riscv64, s390x, ppc64
	}
	if own == "" {
		own = native
	}
	if value == "native" {
		value = native
	}
	return own == value, nil
}

func (h facts) isFirmware(value string) (bool, error) {
	const tree = "sys/firmware/devicetree/base"
	compatible, isCompatible := strings.CutPrefix(value, "device-tree-compatible(")
	switch {
	case value == "uefi":
		return h.exists("sys/firmware/efi"), nil
	case value == "device-tree":
		return h.exists(tree), nil
	case isCompatible && strings.HasSuffix(compatible, ")"):
		list, _ := fs.ReadFile(h.root, tree+"/compatible")
		return slices.Contains(strings.Split(string(list), "\x00"), strings.TrimSuffix(compatible, ")")), nil
	}
	return false, errors.New("networkd-lite tests only uefi, device-tree and device-tree-compatible()")
}

// hasTag matches the TAGS= of machine-info(5).
func (h facts) hasTag(value string) (bool, error) {
	for line := range strings.Lines(h.text("etc/machine-info")) {
		tags, found := strings.CutPrefix(strings.TrimSpace(line), "TAGS=")
		if !found {
			continue
		}
		for tag := range strings.SplitSeq(strings.Trim(tags, `"'`), ":") {
			if holds, err := matchGlob(value, tag); holds || err != nil {
				return holds, err
			}
		}
	}
	_, err := matchGlob(value, "")
	return false, err
}

// matchGlob is fnmatch(3); path.Match keeps "*" from slashes, which no name here has.
func matchGlob(glob, text string) (bool, error) {
	holds, err := path.Match(strings.ReplaceAll(glob, "[!", "[^"), text)
	if err != nil {
		return false, errors.New("not a shell glob")
	}
	return holds, nil
}
