// Command nspawn-generator makes units of .nspawn files. systemd calls it at boot and at every daemon-reload
// (systemd.generator(7)); people call its verbs.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"nspawnkit/units/generator"
)

// Set by the linker, see meson.build.
var (
	version   = "unknown"
	kitFolder = "/usr/lib/nspawnkit"
)

const usage = `nspawn-generator NORMAL [EARLY LATE]   write units into the folders of a generator (called by systemd)
nspawn-generator --dry-run [NAME...]   print each file and link that would be written
nspawn-generator verify [FILE...]      print what is wrong with .nspawn files (all, if none is given)
nspawn-generator show NAME [--json]    print the settings of a container with their origins
nspawn-generator diff [NAME...] [--json]   print which edits do not count yet, and what makes them count
nspawn-generator --help | --version

NSPAWNKIT_ROOT=DIR reads everything below DIR.
`

func main() {
	root := os.Getenv("NSPAWNKIT_ROOT")
	if root == "" {
		root = "/"
	}
	host := generator.Host{Root: generator.Directory(root), Kit: kitFolder}
	os.Exit(run(host, os.Args[1:], os.Stdout, os.Stderr))
}

// run returns the exit status.
func run(host generator.Host, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return 1
	}
	switch verb, rest := args[0], args[1:]; {
	case filepath.IsAbs(verb):
		return generate(host, args)
	case verb == "--dry-run":
		return dryRun(host, rest, stdout, stderr)
	case verb == "verify":
		return verify(host, rest, stdout)
	case verb == "show":
		return show(host, rest, stdout, stderr)
	case verb == "diff":
		return diff(host, rest, stdout, stderr)
	case verb == "--help" || verb == "-h":
		fmt.Fprint(stdout, usage)
	case verb == "--version":
		fmt.Fprintln(stdout, "nspawn-generator", version)
	default:
		fmt.Fprintf(stderr, "nspawn-generator: unknown verb %q\n%s", verb, usage)
		return 1
	}
	return 0
}
