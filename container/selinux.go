package container

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"

	"nspawnkit/container/kernel"
)

// gatherSELinux returns why there are no SELinux contexts on this host, or nothing if there are.
func gatherSELinux() string {
	filesystems, _ := os.ReadFile("/proc/filesystems")
	current, _ := os.ReadFile("/proc/thread-self/attr/current")
	return whyNoSELinux(filesystems, current)
}

// whyNoSELinux takes the kernel's list of file systems and the context of a process. Before a policy is loaded the kernel takes any
// context and forgets it; that of a process is a single word then.
func whyNoSELinux(filesystems, current []byte) string {
	switch {
	case !bytes.Contains(filesystems, []byte("\tselinuxfs\n")):
		return "the host does not run SELinux (selinuxfs is not in /proc/filesystems)"
	case !bytes.Contains(current, []byte(":")):
		return "SELinux of the host has no policy loaded"
	}
	return ""
}

// decideSELinux takes the contexts of --selinux-context= and --selinux-apifs-context=.
func decideSELinux(p *Plan, host *Host) error {
	p.Inside.ProcessContext, p.Inside.FileContext = p.Options.SELinuxContext, p.Options.SELinuxAPIFSContext
	for _, option := range []struct{ name, context string }{
		{"--selinux-context", p.Inside.ProcessContext}, {"--selinux-apifs-context", p.Inside.FileContext},
	} {
		if option.context != "" && host.NoSELinux != "" {
			return fmt.Errorf("%s=%s: %s", option.name, option.context, host.NoSELinux)
		}
	}
	return nil
}

// labeled adds the context of all files to the options of a file system whose files have none of their own, unless they have one.
func labeled(list []kernel.Option, context string) []kernel.Option {
	named := slices.ContainsFunc(list, func(o kernel.Option) bool { return o.Name == "context" })
	if context == "" || named {
		return list
	}
	return append(list, kernel.Option{Name: "context", Value: context})
}

// setContext gives the payload its SELinux context when it is executed, see proc_pid_attr(5).
func (f *first) setContext() error {
	file, err := f.root.OpenPlain(fmt.Sprintf("/proc/%d/attr/exec", os.Getpid()), kernel.WriteOnly)
	if err == nil {
		_, err = file.WriteString(f.plan.ProcessContext)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return fmt.Errorf("--selinux-context=%s: %w", f.plan.ProcessContext, err)
	}
	return nil
}
