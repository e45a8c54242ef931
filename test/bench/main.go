// Command bench runs nspawn-generator and podman's quadlet in turn on files of comparable content and prints what each
// took: "make bench-generator". Both are called as systemd calls them, read and write a tmpfs, and start with an empty
// output folder.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// tmpfsMagic is f_type of statfs(2).
const tmpfsMagic = 0x01021994

const nspawnText = `[Exec]
Hostname=c%[1]d
[Network]
Zone=app
[Files]
Bind=/srv/c%[1]d:/data
[Unit]
Description=Container %[1]d
[Service]
MemoryMax=256M
CPUQuota=150%%
[Install]
WantedBy=machines.target
`

const containerText = `[Container]
Image=registry.invalid/c%[1]d:latest
Network=app
Volume=/srv/c%[1]d:/data
[Unit]
Description=Container %[1]d
[Service]
MemoryMax=256M
CPUQuota=150%%
[Install]
WantedBy=machines.target
`

func main() {
	rounds := flag.Int("rounds", 30, "rounds for 1, 10 and 100 files; half of it for 1000, a fourth for 5000")
	folder := flag.String("folder", "/dev/shm", "an existing folder on a tmpfs")
	launch := flag.Bool("launch", false, "run one program and print its nanoseconds and its peak memory")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "bench [-rounds N] [-folder DIR] NSPAWN-GENERATOR QUADLET")
		flag.PrintDefaults()
	}
	flag.Parse()
	if *launch {
		launchOne(flag.Args())
		return
	}
	if flag.NArg() != 2 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*folder, *rounds, flag.Arg(0), flag.Arg(1)); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run prints a line for each number of files.
func run(folder string, rounds int, ours, quadlet string) error {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(folder, &fs); err != nil {
		return fmt.Errorf("statfs %s: %w", folder, err)
	}
	if fs.Type != tmpfsMagic {
		return fmt.Errorf("%s is not on a tmpfs", folder)
	}
	work, err := os.MkdirTemp(folder, "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	fmt.Println("         nspawn-generator           quadlet                    ratio of the")
	fmt.Println("files    median     best  peak      median     best  peak      medians  bests")
	for _, size := range []struct{ files, rounds int }{{1, rounds}, {10, rounds}, {100, rounds}, {1000, rounds / 2}, {5000, rounds / 4}} {
		if err := measure(work, size.files, max(size.rounds, 3), ours, quadlet); err != nil {
			return err
		}
	}
	fmt.Println("Milliseconds; peak is ru_maxrss in MB.")
	return nil
}

// measure runs both generators in turn on n files.
func measure(work string, n, rounds int, ours, quadlet string) error {
	dir := filepath.Join(work, fmt.Sprint(n))
	if err := writeInputs(dir, n); err != nil {
		return err
	}
	a := peer{path: ours, environ: "NSPAWNKIT_ROOT=" + dir, lastFile: fmt.Sprintf("systemd-nspawn@c%[1]d.service.d/05-c%[1]d.nspawn.conf", n-1)}
	b := peer{path: quadlet, environ: "QUADLET_UNIT_DIRS=" + filepath.Join(dir, "quadlet"), lastFile: fmt.Sprintf("c%d.service", n-1)}
	for range rounds {
		for _, p := range []*peer{&a, &b} {
			if err := p.run(filepath.Join(dir, "out")); err != nil {
				return err
			}
		}
	}
	fmt.Printf("%-5d %s   %s   %10.2f %6.2f\n", n, &a, &b, a.median()/b.median(), a.best()/b.best())
	return os.RemoveAll(dir)
}

// writeInputs makes n files for each of the two below dir.
func writeInputs(dir string, n int) error {
	for folder, file := range map[string][2]string{
		"etc/systemd/nspawn": {"c%d.nspawn", nspawnText},
		"quadlet":            {"c%d.container", containerText},
	} {
		folder = filepath.Join(dir, folder)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		for i := range n {
			if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf(file[0], i)), fmt.Appendf(nil, file[1], i), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// peer is a generator with what its runs took.
type peer struct {
	path, environ, lastFile string
	times                   []float64 // milliseconds
	peak                    float64   // MB
}

// run calls the generator once, with an empty folder out, and checks that it did its work.
func (p *peer) run(out string) error {
	var folders []string
	for _, name := range []string{"generator", "generator.early", "generator.late"} {
		folder := filepath.Join(out, name)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		folders = append(folders, folder)
	}
	cmd := exec.Command("/proc/self/exe", append([]string{"-launch", p.path}, folders...)...)
	cmd.Env = []string{"PATH=/usr/bin:/usr/sbin", "SYSTEMD_SCOPE=system", "SYSTEMD_IN_INITRD=0", p.environ}
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	var nanoseconds, kilobytes float64
	if err == nil {
		_, err = fmt.Sscan(string(output), &nanoseconds, &kilobytes)
	}
	if err == nil {
		_, err = os.Stat(filepath.Join(folders[0], p.lastFile))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", p.path, err)
	}
	p.times = append(p.times, nanoseconds/1e6)
	p.peak = max(p.peak, kilobytes/1024)
	return os.RemoveAll(out)
}

// launchOne runs a program. It is a process of its own because execve(2) hands the peak memory of whoever starts a program
// on to it: the launcher's is small and the same for both.
func launchOne(args []string) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	began := time.Now()
	err := cmd.Run()
	took := time.Since(began)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	fmt.Println(took.Nanoseconds(), cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
}

func (p *peer) median() float64 {
	slices.Sort(p.times)
	return p.times[len(p.times)/2]
}

func (p *peer) best() float64 { return slices.Min(p.times) }

func (p *peer) String() string {
	return fmt.Sprintf("%9.2f %8.2f %5.1f", p.median(), p.best(), p.peak)
}
