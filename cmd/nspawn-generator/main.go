// Command nspawn-generator makes units of .nspawn files. systemd calls it at boot and at every daemon-reload
// (systemd.generator(7)); people call its verbs.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"nspawnkit/terminal"
	"nspawnkit/units/generator"
)

// Set by the linker, see meson.build.
var (
	version   = "unknown"
	kitFolder = "/usr/lib/nspawnkit"
)

const usage = `nspawn-generator VERB

What becomes of .nspawn files. systemd calls it with NORMAL [EARLY LATE], the
folders of a generator, and it writes units there.

Verbs:
  verify [FILE...]          Print what is wrong with .nspawn files (all, if none
                            is given)
  show NAME [--json]        Print the settings of a container with their origins
  diff [NAME...] [--json]   Print which edits do not count yet, and what makes
                            them count

Options:
  -h --help                 Show this help
     --version              Print version string
     --dry-run [NAME...]    Print each file and link that would be written
     --json                 Print JSON

NSPAWNKIT_ROOT=DIR reads everything below DIR.
See nspawn-generator(8), nspawnkit.nspawn(5) and nspawnkit(7).
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
		fmt.Fprint(stdout, terminal.StyleOf(stdout, os.LookupEnv).Help(usage))
	case verb == "--version":
		fmt.Fprintln(stdout, "nspawn-generator", version)
	default:
		printError(stderr, fmt.Sprintf("unknown verb %q; see nspawn-generator --help, or VERBS in nspawn-generator(8)", verb))
		return 1
	}
	return 0
}
