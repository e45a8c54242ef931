// Command start runs nspawn-exec, systemd-nspawn, crun, LXC and Podman in turn on the same small container and prints what each takes: "make
// bench-start". It does so in mount and network namespaces of its own, with a /run of its own.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// kinds is set once all namespaces are made.
var kinds namespaces

func main() {
	rounds := flag.Int("rounds", 40, "how often each program starts a container in each column")
	many := flag.Int("many", 100, "how many containers to start at once; 0: none")
	sid := flag.String("sid", "", "directory with the unpacked packages of the peers")
	namespace := flag.String("namespace", "", "stay in a mount namespace of this kind")
	roots := flag.String("roots", "", "directory of the containers; empty: make namespaces first")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "start -sid DIR [-rounds N] [-many N] NSPAWN-EXEC")
		flag.PrintDefaults()
	}
	flag.Parse()
	var err error
	switch {
	case *namespace != "":
		err = stayInNamespace(*namespace, *sid, *roots)
	case *sid == "" || flag.NArg() != 1:
		flag.Usage()
		os.Exit(2)
	case *roots == "":
		err = isolate()
	default:
		err = run(flag.Arg(0), *sid, *roots, *rounds, *many)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "start:", err)
		os.Exit(1)
	}
}

// isolate runs the program again in namespaces of its own.
func isolate() error {
	roots, err := os.MkdirTemp("/var/tmp", "bench") // on a disk, where containers are
	if err != nil {
		return err
	}
	defer os.RemoveAll(roots)
	if err := os.Chmod(roots, 0o755); err != nil { // crun walks there as the container's user
		return err
	}
	cmd := exec.Command("/proc/self/exe", append([]string{"-roots", roots}, os.Args[1:]...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET, Pdeathsig: unix.SIGKILL}
	return cmd.Run()
}

// run prints all tables.
func run(ours, sid, roots string, rounds, many int) error {
	runtime.LockOSThread()
	ours, err := filepath.Abs(ours)
	problems := []error{
		err, unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), unix.Mount("none", "/run", "tmpfs", 0, ""), makeDirectories("/run/lock"),
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	if kinds, err = openNamespaces(sid, roots); err != nil {
		return err
	}
	if err := unix.Unshare(unix.CLONE_FS); err != nil { // a condition of setns(2)
		return err
	}
	list := peers(ours)
	if err := printTimes(list, rounds, roots); err != nil {
		return err
	}
	if err := printMemory(list, roots); err != nil {
		return err
	}
	if many == 0 {
		return nil
	}
	return list[0].together(many, roots)
}

func printTimes(list []peer, rounds int, roots string) error {
	root, err := makeRoot(roots, "web")
	if err != nil {
		return err
	}
	schedule(unix.SCHED_RR, 1) // what else the machine does must not count
	defer schedule(unix.SCHED_NORMAL, 0)
	var all [][][]float64 // of columns, of peers
	for i := range columns {
		taken, err := times(list, i, rounds, root, filepath.Join(roots, "bundles"))
		if err != nil {
			return err
		}
		all = append(all, taken)
	}
	printTable("Start to exit, median", list, all, func(sorted []float64) float64 { return sorted[len(sorted)/2] })
	printTable("Start to exit, best", list, all, func(sorted []float64) float64 { return sorted[0] })
	fmt.Print("Milliseconds; the number behind is how many times as long nspawn-exec takes.\n\n")
	return nil
}

func printTable(title string, list []peer, all [][][]float64, figure func(sorted []float64) float64) {
	fmt.Printf("%-26s", title)
	for _, column := range columns {
		fmt.Printf("%10s%6s", column.name, "")
	}
	fmt.Println()
	for i, p := range list {
		fmt.Printf("%-26s", p.name)
		for _, taken := range all {
			switch {
			case len(taken[i]) == 0:
				fmt.Printf("%10s%6s", "-", "")
			case i == 0:
				fmt.Printf("%10.1f%6s", figure(taken[i]), "")
			default:
				fmt.Printf("%10.1f%6.2f", figure(taken[i]), figure(taken[0])/figure(taken[i]))
			}
		}
		fmt.Println()
	}
	fmt.Println()
}

// schedule sets the scheduling class of the calling thread, which its children inherit. Who may not is measured as everybody.
func schedule(policy, priority uint32) {
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: policy, Priority: priority}, 0)
}

func printMemory(list []peer, roots string) error {
	fmt.Printf("%-26s%18s%18s\n", "Idle supervisor", "1 container", "each of 10")
	for _, p := range list {
		if p.takes == bundleOptions || p.isMissing() {
			continue
		}
		fmt.Printf("%-26s", p.name)
		for _, n := range []int{1, 10} {
			kilobytes, err := p.idle(n, roots)
			if err != nil {
				return err
			}
			fmt.Printf("%14d KiB", kilobytes)
		}
		fmt.Println()
	}
	fmt.Print("PSS after 3 s.\n\n")
	return nil
}

// makeRoot makes the root of a container: a busybox that needs no libraries, and what an operating system has.
func makeRoot(roots, name string) (string, error) {
	root := filepath.Join(roots, name)
	if _, err := os.Stat(root); err == nil {
		return root, nil
	}
	for _, directory := range []string{"bin", "etc", "usr/bin", "root", "proc", "sys", "dev", "run", "tmp", "var/log"} {
		if err := makeDirectories(filepath.Join(root, directory)); err != nil {
			return "", err
		}
	}
	path, err := exec.LookPath("busybox")
	if err != nil {
		return "", err
	}
	busybox, err := os.ReadFile(path)
	problems := []error{
		err, os.WriteFile(filepath.Join(root, "bin/busybox"), busybox, 0o755),
		os.WriteFile(filepath.Join(root, "etc/os-release"), []byte("ID=bench\n"), 0o644),
		os.Symlink("../proc/self/mounts", filepath.Join(root, "etc/mtab")), // Podman would make it, and cannot where the root is id-mapped
	}
	for _, applet := range []string{"sh", "sleep", "true"} {
		problems = append(problems, os.Symlink("busybox", filepath.Join(root, "bin", applet)))
	}
	return root, errors.Join(problems...)
}
