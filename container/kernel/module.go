package kernel

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// LoadModules loads modules of the kernel, and returns an error for each that there is not, whether built in or not.
func LoadModules(names []string) (problems []error) {
	loaded, err := os.ReadFile("/proc/modules")
	if err != nil {
		return nil // a kernel without modules has what it has
	}
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		_, err := os.Stat("/sys/module/" + name)
		return err == nil || listsModule(string(loaded), name)
	})
	if len(names) == 0 || InUserNamespace(OwnUsers()) {
		return nil // in a container, the host has loaded them
	}
	program, err := lookProgram("modprobe")
	if err != nil {
		return []error{fmt.Errorf("cannot load kernel modules %s: modprobe is missing: install kmod", strings.Join(names, ", "))}
	}
	output, err := exec.Command(program, append([]string{"--all", "--use-blacklist", "--"}, names...)...).CombinedOutput()
	if err == nil {
		return nil
	}
	if problems = moduleProblems(string(output), names); len(problems) == 0 {
		problems = []error{fmt.Errorf("load kernel modules %s: modprobe: %w: %s", strings.Join(names, ", "), err, lastLine(output))}
	}
	return problems
}

// listsModule reports whether a table of proc_modules(5) has a module.
func listsModule(table, name string) bool {
	return strings.HasPrefix(table, name+" ") || strings.Contains(table, "\n"+name+" ")
}

// moduleProblems finds what modprobe(8) says of each module. It goes on after the first.
func moduleProblems(output string, names []string) (problems []error) {
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if _, text, found := strings.Cut(line, "modprobe: "); found {
			line = text
		}
		about := slices.ContainsFunc(strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" '\"", r) }),
			func(word string) bool { return slices.Contains(names, word) })
		if about {
			problems = append(problems, fmt.Errorf("load kernel module: %s", line))
		}
	}
	return problems
}

// InUserNamespace reports by its [OwnUsers] whether this process is in another user namespace than the first, to whose root the
// kernel's modules and device nodes are.
func InUserNamespace(users []IDExtent) bool {
	return len(users) > 0 && (len(users) > 1 || users[0] != IDExtent{Count: 1<<32 - 1})
}

// OwnUsers returns the users that there are in the user namespace of this process, as /proc/self/uid_map has them; nothing in a
// kernel without user namespaces.
func OwnUsers() []IDExtent {
	table, _ := os.ReadFile("/proc/self/uid_map")
	return parseIDMap(string(table))
}

func parseIDMap(table string) (extents []IDExtent) {
	for line := range strings.Lines(table) {
		var e IDExtent
		if n, _ := fmt.Sscan(line, &e.From, &e.To, &e.Count); n == 3 {
			extents = append(extents, e)
		}
	}
	return extents
}
