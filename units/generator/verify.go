package generator

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"nspawnkit/settings"
	"nspawnkit/units"
)

// Verify returns everything that is wrong with the files, each read by itself as the settings of the container it is named
// after, or, if none is given, with all containers of the host and their drop-ins.
func Verify(host Host, files ...string) []settings.Problem {
	if len(files) == 0 {
		_, problems := Make(host)
		return problems
	}
	var problems []settings.Problem
	for _, file := range files {
		problems = append(problems, verifyFile(host, file)...)
	}
	return problems
}

// verifyFile reads a file as the user names it, which is not below the root of the host: it may be a draft.
func verifyFile(host Host, name string) []settings.Problem {
	fail := func(text string) []settings.Problem {
		return []settings.Problem{{Origin: settings.Origin{File: name}, Severity: settings.Error, Text: text}}
	}
	machine, ok := strings.CutSuffix(filepath.Base(name), ".nspawn")
	if !ok {
		return fail("the name does not end in .nspawn")
	}
	if !settings.ValidMachineName(machine) {
		return fail("no container can have this name")
	}
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		return fail("not a regular file")
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return fail(err.Error())
	}
	parsed, problems := settings.Parse(name, machine, data)
	container, more := combine(commandLine(), machine, parsed)
	return unique(slices.Concat(problems, more, units.Check(container, host.Root)))
}
