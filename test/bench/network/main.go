// Command network measures networkd-lite beside dnsmasq, kea and systemd-networkd as DHCP servers, with kea's perfdhcp for load, and then
// networkd-lite with hundreds of links: "make bench-network". Each measurement has mount, network and process namespaces of its own.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// prefix begins what this program says of a failure.
const prefix = "network: "

// options are those of the command line, which the processes in namespaces get, too.
type options struct {
	sid      string // directory with the unpacked packages of the peers
	ours     string // networkd-lite
	networks string // directory of the .network files that we ship
	state    string // directory on a disk, of one measurement
	rounds   int
	load     loadOptions
	links    int // of a measurement of links
}

func main() {
	var o options
	var server, sizes string
	var length int
	flag.StringVar(&o.sid, "sid", "", "directory with the unpacked packages of the peers")
	flag.StringVar(&o.networks, "networks", "units/static/network", "directory of the .network files that networkd-lite ships")
	flag.IntVar(&o.rounds, "rounds", 1, "how often each server has its turn")
	flag.IntVar(&o.load.few, "few", 200, "how many clients the /24 has")
	flag.IntVar(&o.load.many, "many", 60000, "how many clients the /16 has")
	flag.IntVar(&o.load.most, "most", 32000, "exchanges a second that are enough")
	flag.IntVar(&o.load.fill, "fill", 20, "seconds at most to give out leases before a server is measured")
	flag.IntVar(&o.load.seconds, "seconds", 2, "how long perfdhcp keeps up a rate")
	flag.StringVar(&sizes, "links", "1,100,500", "how many links networkd-lite is to serve, one measurement for each")
	flag.StringVar(&server, "server", "", "measure this server, in namespaces made for it")
	flag.IntVar(&length, "prefix", 0, "length of its subnet's prefix")
	flag.IntVar(&o.links, "serve", 0, "measure networkd-lite with so many links, in namespaces made for it")
	flag.StringVar(&o.state, "state", "", "directory of that measurement")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "network -sid DIR [-rounds N] [-few N] [-many N] [-links N,...] NETWORKD-LITE")
		flag.PrintDefaults()
	}
	flag.Parse()
	if o.sid == "" || flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	var err error
	if o.ours, err = filepath.Abs(flag.Arg(0)); err == nil {
		switch {
		case server != "":
			err = tell(o.measureServer(server, length))
		case o.links > 0:
			err = tell(o.measureLinks())
		default:
			err = o.run(sizes)
		}
	}
	if err != nil {
		fmt.Fprint(os.Stderr, prefix, err, "\n")
		os.Exit(1)
	}
}

// tell prints what was measured for the process that asked for it.
func tell[T any](figures T, err error) error {
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(figures)
}

// run measures everything and prints the tables.
func (o options) run(sizes string) error {
	var numbers []int
	if err := json.Unmarshal([]byte("["+sizes+"]"), &numbers); err != nil {
		return fmt.Errorf("-links=%s: %w", sizes, err)
	}
	results := map[string][]outcome{}
	for range o.rounds {
		for _, name := range serverNames() {
			for _, length := range []int{few, many} {
				var figures loadFigures
				err := o.isolate(&figures, "-server", name, "-prefix", fmt.Sprint(length))
				results[name] = append(results[name], outcome{length, figures, err})
			}
		}
	}
	printServers(os.Stdout, results)
	var rows []linkFigures
	for _, n := range numbers {
		var figures linkFigures
		if err := o.isolate(&figures, "-serve", fmt.Sprint(n)); err != nil {
			return fmt.Errorf("%d links: %w", n, err)
		}
		rows = append(rows, figures)
	}
	printLinks(os.Stdout, rows)
	return nil
}

// isolate runs the program again with arguments in namespaces of its own, which end with all that runs in them.
func (o options) isolate(figures any, arguments ...string) error {
	state, err := os.MkdirTemp("/var/tmp", "bench") // on a disk, where leases are
	if err != nil {
		return err
	}
	defer os.RemoveAll(state)
	if err := os.Chmod(state, 0o755); err != nil { // systemd-networkd gives up root
		return err
	}
	var problems strings.Builder
	cmd := exec.Command("/proc/self/exe", append(append([]string{"-state", state}, arguments...), os.Args[1:]...)...)
	cmd.Stderr = &problems
	cmd.SysProcAttr = &unix.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID, Pdeathsig: unix.SIGKILL,
	}
	output, err := cmd.Output()
	if err != nil {
		return errors.New(strings.TrimPrefix(strings.TrimSpace(problems.String()), prefix))
	}
	return json.Unmarshal(output, figures)
}
