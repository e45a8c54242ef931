// Command networkd-lite gives the links of containers addresses, a DHCP server and masquerading on hosts where
// systemd-networkd does not.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"nspawnkit/terminal"
)

// Set by the linker, see meson.build.
var version = "unknown"

const usage = `networkd-lite [VERB]

Addresses, names, ports and a way out for the links of containers. Without a
verb it is the daemon, networkd-lite.service.

Verbs:
  status [--json]           Print what is done with each link, and what is wrong
  leases [--json]           Print the addresses that were given to containers
  doctor [NAME] [--json]    Try the network of a container, or the host's part
                            of it, and say what fails and how to mend it
  ports [--json]            Print the ports of the host that lead to containers
  names [--json]            Print the names of containers
  lldp [--json]             Print which neighbours have told of themselves
  renumber LINK             Give a link another subnet than the one it has

Options:
  -h --help                 Show this help
     --version              Print version string
     --cleanup              Remove what a daemon that was killed left in nft
     --json                 Print JSON

NSPAWNKIT_ROOT=DIR reads and writes everything below DIR.
See networkd-lite(8), networkd-lite.conf(5) and nspawnkit(7).
`

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run returns the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	paths := pathsBelow(os.Getenv("NSPAWNKIT_ROOT"))
	verb := ""
	if len(args) > 0 {
		verb, args = args[0], args[1:]
	}
	var err error
	switch verb {
	case "":
		err = serve(paths, newLogger(os.Stderr, os.Getenv("JOURNAL_STREAM")))
	case "status":
		err = show(args, stdout, func() (table, error) { return readStatus(paths) })
	case "leases":
		err = show(args, stdout, func() (table, error) { return readLeases(paths) })
	case "doctor":
		err = examine(paths, args, stdout)
	case "ports":
		err = show(args, stdout, func() (table, error) { return readPorts(paths) })
	case "names":
		err = show(args, stdout, func() (table, error) { return readNames(paths) })
	case "lldp":
		err = show(args, stdout, func() (table, error) { return readLLDP(paths) })
	case "renumber":
		err = renumber(paths, args, stdout)
	case "--cleanup":
		err = cleanUp(paths, newLogger(os.Stderr, ""))
	case "--help", "-h":
		fmt.Fprint(stdout, terminal.StyleOf(stdout, os.LookupEnv).Help(usage))
	case "--version":
		fmt.Fprintln(stdout, "networkd-lite", version)
	default:
		err = fmt.Errorf("unknown verb %q; see networkd-lite --help, or VERBS in networkd-lite(8)", verb)
	}
	if err != nil {
		fmt.Fprintln(stderr, terminal.StyleOf(stderr, os.LookupEnv).Bad("networkd-lite: "+err.Error()))
		return 1
	}
	return 0
}

// paths are the folders of the program.
type paths struct {
	root    string // of all that is read
	state   string // kept over reboots
	runtime string // gone after a reboot
}

func pathsBelow(root string) paths {
	if root == "" {
		root = "/"
	}
	return paths{root, filepath.Join(root, "var/lib/nspawnkit/network"), filepath.Join(root, "run/nspawnkit/network")}
}

// requests is the directory of what the daemon is asked to do.
func (p paths) requests() string { return filepath.Join(p.runtime, "renumber") }

// lock is the file that the daemon holds locked while it runs.
func (p paths) lock() string { return filepath.Join(p.runtime, "lock") }
