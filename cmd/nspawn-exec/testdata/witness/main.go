// Command witness tells what it sees inside a container, a line "ASPECT: VALUE" each, then "up", and ends when its standard
// input does. It stands in for init, for the shell and for a program.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

func main() {
	say("cwd", workingDirectory())
	say("start", start())
	say("users", users())
	say("owner", map[uint32]string{0: "root", 65534: "nobody"}[ownerOf("/etc")])
	say("links", links())
	say("env", environment())
	say("uuid", strings.ReplaceAll(os.Getenv("container_uuid"), "-", ""))
	say("mounts", mounts())
	say("caps", capabilities())
	say("no-new-privileges", map[string]string{"0": "no", "1": "yes"}[status("NoNewPrivs")])
	say("nofile", limit(syscall.RLIMIT_NOFILE))
	say("core", limit(syscall.RLIMIT_CORE))
	say("oom", strings.TrimSpace(read("/proc/self/oom_score_adj")))
	name, _ := os.Hostname()
	say("hostname", name)
	say("denied", denied())
	fmt.Println("up")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func say(aspect, value string) {
	if value == "" {
		value = "none"
	}
	fmt.Printf("%s: %s\n", aspect, value)
}

func read(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

func workingDirectory() string {
	directory, _ := os.Getwd()
	return directory
}

// start says as what it was started: "boot ARGUMENT…", "program ARGUMENT…", "stub ARGUMENT…" below a stub init, or "shell".
func start() string {
	switch name := filepath.Base(os.Args[0]); {
	case strings.HasPrefix(name, "-"):
		return "shell"
	case os.Getpid() == 2:
		return strings.Join(append([]string{"stub"}, os.Args[1:]...), " ")
	case name == "witness":
		return strings.Join(append([]string{"program"}, os.Args[1:]...), " ")
	}
	return strings.Join(append([]string{"boot"}, os.Args[1:]...), " ")
}

// users says which range of the host the users inside are; one that was picked is below the first one that nobody may pick.
func users() string {
	fields := strings.Fields(read("/proc/self/uid_map"))
	switch {
	case len(fields) != 3:
		return "unknown"
	case fields[2] == "4294967295":
		return "no"
	case fields[1] == "0":
		return "identity"
	case fields[1] == "131072": // below 524288, where picked ones begin
		return fields[1]
	}
	return "pick"
}

func ownerOf(path string) uint32 {
	var stat syscall.Stat_t
	if syscall.Stat(path, &stat) != nil {
		return 1
	}
	return stat.Uid
}

func links() string {
	var names []string
	for line := range strings.Lines(read("/proc/net/dev")) {
		if name, _, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) != "lo" {
			names = append(names, strings.TrimSpace(name))
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// environment lists the variables with names of one letter.
func environment() string {
	var list []string
	for _, variable := range os.Environ() {
		if strings.Index(variable, "=") == 1 {
			list = append(list, variable)
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// mounts lists what is mounted below /mnt.
func mounts() string {
	var list []string
	for scanner := bufio.NewScanner(strings.NewReader(read("/proc/self/mountinfo"))); scanner.Scan(); {
		fields := strings.Fields(scanner.Text())
		if fields[4] == "/" {
			option, _, _ := strings.Cut(fields[5], ",")
			say("read-only", map[string]string{"ro": "yes", "rw": "no"}[option])
		}
		if !strings.HasPrefix(fields[4], "/mnt/") {
			continue
		}
		kind := "bind"
		if fstype := fields[slices.Index(fields, "-")+1]; fstype == "tmpfs" || fstype == "overlay" {
			kind = fstype
		}
		list = append(list, fields[4]+"="+kind)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func status(key string) string {
	for line := range strings.Lines(read("/proc/self/status")) {
		if name, value, _ := strings.Cut(line, ":"); name == key {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func capabilities() string {
	bounding, _ := strconv.ParseUint(status("CapBnd"), 16, 64)
	var names []string
	for _, c := range []struct {
		number int
		name   string
	}{{0, "chown"}, {12, "net_admin"}, {25, "sys_time"}} {
		if bounding>>c.number&1 == 1 {
			names = append(names, c.name)
		}
	}
	return strings.Join(names, " ")
}

func limit(resource int) string {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(resource, &l); err != nil {
		return err.Error()
	}
	return strconv.FormatUint(l.Max, 10)
}

// denied lists the system calls that the filter forbids: they fail before their arguments are looked at.
func denied() string {
	var names []string
	if syscall.Chroot("/no/such") == syscall.EPERM {
		names = append(names, "chroot")
	}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SETHOSTNAME, 0, 1000, 0); errno == syscall.EPERM {
		names = append(names, "sethostname")
	}
	return strings.Join(names, " ")
}
