package main_test

import (
	"os"
	"strings"
	"testing"
)

// Without SELinux a context is an error that names the option, and nothing is started.
func TestSELinuxIsMissing(t *testing.T) {
	needKernel(t)
	if list, err := os.ReadFile("/proc/filesystems"); err != nil || strings.Contains(string(list), "selinuxfs") {
		t.Fatalf("this test needs a host without SELinux: %v", err)
	}
	root := newRoot(t, "web")
	const process, files = "--selinux-context=system_u:system_r:svirt_lxc_net_t:s0:c0,c1: ", "--selinux-apifs-context=u:object_r:t: "
	for option, name := range map[string]string{
		"-Zsystem_u:system_r:svirt_lxc_net_t:s0:c0,c1": process, "--selinux-context=system_u:system_r:svirt_lxc_net_t:s0:c0,c1": process,
		"-Lu:object_r:t": files, "--selinux-apifs-context=u:object_r:t": files,
	} {
		refused(t, run(t, root, option, "/bin/echo", "payload runs"), name, "does not run SELinux")
	}
	clean(t, root)
}
