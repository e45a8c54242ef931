package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// The programs run in mount namespaces: each kind has a process that waits in it.
const (
	hostKind    = "host"       // this machine
	hiddenKind  = "hidden"     // without its control groups: nspawn-exec and crun make none then
	sidKind     = "sid"        // a root of Debian sid, otherwise as hidden
	sidOwnGroup = "sid-groups" // with control groups of version 2, which systemd-nspawn needs
)

const controlGroups = "/sys/fs/cgroup"

// namespaces are open files of mount namespaces, by their kind.
type namespaces map[string]*os.File

// openNamespaces makes all kinds. Their processes end with this one.
func openNamespaces(sid, roots string) (namespaces, error) {
	all := make(namespaces)
	for _, kind := range []string{hostKind, hiddenKind, sidKind, sidOwnGroup} {
		cmd := exec.Command("/proc/self/exe", "-namespace", kind, "-sid", sid, "-roots", roots)
		cmd.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL}
		cmd.Stderr = os.Stderr
		output, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err == nil {
			_, err = io.ReadFull(output, make([]byte, 1)) // it is ready
		}
		if err == nil {
			all[kind], err = os.Open(fmt.Sprintf("/proc/%d/ns/mnt", cmd.Process.Pid))
		}
		if err != nil {
			return nil, fmt.Errorf("make mount namespace %s: %w", kind, err)
		}
	}
	return all, nil
}

// stayInNamespace is the process of a namespace.
func stayInNamespace(kind, sid, roots string) error {
	runtime.LockOSThread()
	var err error
	switch kind {
	case hiddenKind:
		err = hideControlGroups()
	case sidKind, sidOwnGroup:
		err = enterSid(kind, sid, roots)
	}
	if err != nil {
		return err
	}
	fmt.Print("r")
	for {
		_ = unix.Pause()
	}
}

// hideControlGroups keeps programs from making control groups, and from failing because they cannot.
func hideControlGroups() error { return unix.Mount("none", controlGroups, "tmpfs", 0, "") }

// enterSid makes the unpacked packages the root, with what the programs need and the directories of the containers.
func enterSid(kind, sid, roots string) error {
	if err := hideControlGroups(); err != nil {
		return err
	}
	root, scratch := "/run/root", "/run/scratch"
	if err := makeDirectories(root, scratch); err != nil {
		return err
	}
	problems := []error{unix.Mount("none", scratch, "tmpfs", 0, ""), makeDirectories(scratch+"/upper", scratch+"/work")}
	problems = append(problems, unix.Mount("none", root, "overlay", 0, "lowerdir="+sid+",upperdir="+scratch+"/upper,workdir="+scratch+"/work"))
	for _, name := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := os.Symlink("usr/"+name, filepath.Join(root, name)); !errors.Is(err, os.ErrExist) {
			problems = append(problems, err)
		}
	}
	problems = append(problems, makeDirectories(root+"/dev", root+"/proc", root+"/sys", root+"/run", root+"/tmp", root+"/etc", root+roots))
	for _, path := range []string{"/dev", "/proc", "/sys", roots} {
		problems = append(problems, unix.Mount(path, root+path, "", unix.MS_BIND|unix.MS_REC, ""))
	}
	problems = append(problems, unix.Mount("none", root+"/run", "tmpfs", 0, ""))
	if kind == sidOwnGroup {
		problems = append(problems, unix.Mount("none", root+controlGroups, "cgroup2", 0, ""))
	}
	for name, content := range map[string]string{"machine-id": strings.Repeat("3", 32), "os-release": "ID=debian"} {
		problems = append(problems, os.WriteFile(filepath.Join(root, "etc", name), []byte(content+"\n"), 0o644))
	}
	problems = append(problems, os.Chdir(root), unix.PivotRoot(".", "."), unix.Unmount(".", unix.MNT_DETACH), os.Chdir("/"))
	return errors.Join(problems...)
}

func makeDirectories(paths ...string) error {
	var problems []error
	for _, path := range paths {
		problems = append(problems, os.MkdirAll(path, 0o755))
	}
	return errors.Join(problems...)
}
