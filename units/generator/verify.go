package generator

import (
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"nspawnkit/settings"
	"nspawnkit/units"
)

// Verify returns everything that is wrong with the files, each read by itself as settings of the container it is named after;
// or, if none is given, with all containers of the host, their drop-ins and files beside images, and files nobody reads.
func Verify(host Host, files ...string) []settings.Problem {
	folders := settings.Scan(host.Root)
	if len(files) == 0 {
		return verifyAll(host, folders)
	}
	var problems []settings.Problem
	for _, file := range files {
		problems = append(problems, verifyFile(host, folders, file)...)
	}
	return problems
}

func verifyAll(host Host, folders *settings.Folders) []settings.Problem {
	found, problems := folders.Containers()
	problems = append(problems, settings.Unread(host.Root)...)
	names := map[string]bool{}
	for _, f := range found {
		names[f.Name] = true
	}
	images, _ := fs.Glob(host.Root, "var/lib/machines/*.nspawn") // without privileges there is nothing to see
	for _, file := range images {
		if name := strings.TrimSuffix(path.Base(file), ".nspawn"); settings.ValidMachineName(name) {
			names[name] = true
		}
	}
	static := commandLine()
	for _, name := range slices.Sorted(maps.Keys(names)) {
		_, _, wrong := load(host, folders, static, name)
		problems = append(problems, wrong...)
	}
	return unique(problems)
}

// verifyFile reads a file as the user names it, which is not below the root of the host: it may be a draft.
func verifyFile(host Host, folders *settings.Folders, name string) []settings.Problem {
	fail := func(text string) []settings.Problem {
		return []settings.Problem{{Origin: settings.Origin{File: name}, Severity: settings.Error, Text: text}}
	}
	whole, err := filepath.Abs(name)
	if err != nil {
		return fail(err.Error())
	}
	machine, isMain := strings.CutSuffix(filepath.Base(name), ".nspawn")
	if !isMain {
		var isDropIn bool
		if machine, isDropIn = settings.DropInMachine(whole); !isDropIn {
			return fail("nobody reads a file of this name, it must be NAME.nspawn, NAME.nspawn.d/*.conf or nspawn.d/*.conf")
		}
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
	problems = slices.Concat(problems, more, units.Check(container, host.Root))
	if other := folders.Instead(whole); other != "" {
		problems = append(problems, settings.Problem{Origin: settings.Origin{File: name}, Text: other + " is read instead"})
	}
	return unique(problems)
}
