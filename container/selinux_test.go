package container

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"nspawnkit/container/kernel"
	"nspawnkit/settings"
)

const (
	testProcessContext = "system_u:system_r:svirt_lxc_net_t:s0:c0,c1"
	testFileContext    = "system_u:object_r:svirt_sandbox_file_t:s0:c0,c1"
)

func TestWhyNoSELinux(t *testing.T) {
	const with, without = "nodev\tselinuxfs\n\text4\n", "nodev\tproc\n\text4\n"
	for _, test := range []struct{ filesystems, current, want string }{
		{without, "unconfined\n", "the host does not run SELinux (selinuxfs is not in /proc/filesystems)"}, // of AppArmor
		{without, "", "the host does not run SELinux (selinuxfs is not in /proc/filesystems)"},
		{with, "kernel\x00", "SELinux of the host has no policy loaded"},
		{with, "system_u:system_r:init_t:s0\x00", ""},
	} {
		if got := whyNoSELinux([]byte(test.filesystems), []byte(test.current)); got != test.want {
			t.Errorf("%q, %q: got %q", test.filesystems, test.current, got)
		}
	}
}

func TestDecideSELinux(t *testing.T) {
	contexts := func(process, files, problem string) func(*settings.Settings, *Options, *Host) {
		return func(_ *settings.Settings, o *Options, h *Host) {
			o.SELinuxContext, o.SELinuxAPIFSContext, h.NoSELinux = process, files, problem
		}
	}
	_, err := decide(t, contexts(testProcessContext, "", "no SELinux"))
	wantError(t, err, "--selinux-context="+testProcessContext+": no SELinux")
	_, err = decide(t, contexts("", testFileContext, "no SELinux"))
	wantError(t, err, "--selinux-apifs-context="+testFileContext+": no SELinux")
	mustDecide(t, contexts("", "", "no SELinux"))
	plan := mustDecide(t, contexts(testProcessContext, testFileContext, ""))
	if in := plan.Inside; in.ProcessContext != testProcessContext || in.FileContext != testFileContext {
		t.Errorf("got %q and %q", in.ProcessContext, in.FileContext)
	}
}

// All file systems whose files have no context on disk get the one that was asked for, and no others: for sysfs, proc, mqueue and
// cgroup2 the kernel's policy has contexts of its own.
func TestLabeledFileSystems(t *testing.T) {
	labels := func(in *Inside) string {
		dev, run := hostTrees(in)
		text := ""
		for _, m := range append(append([]mount{dev, run}, innerTrees(in)...), kernelTrees(in)...) {
			for _, o := range m.options {
				if o.Name == "context" {
					text += fmt.Sprintf("%s=%s ", m.target, o.Value)
				}
			}
		}
		return text
	}
	if got := labels(&Inside{FileContext: "u:r:t"}); got != "/dev=u:r:t /run=u:r:t /tmp=u:r:t /dev/shm=u:r:t /dev/pts=u:r:t " {
		t.Errorf("got %s", got)
	}
	if got := labels(&Inside{}); got != "" {
		t.Errorf("without a context: got %s", got)
	}
	a := assembly{Supervisor: &Supervisor{plan: &Plan{Inside: Inside{FileContext: "u:r:t"}}}}
	if list := a.volatileOptions(); list[len(list)-1] != (kernel.Option{Name: "context", Value: "u:r:t"}) {
		t.Errorf("a volatile root has %v", list)
	}
	if list := labeled(options("context", "own:r:t"), "u:r:t"); len(list) != 1 {
		t.Errorf("over a context of its own: %v", list)
	}
}

// What the kernel gets of --selinux-context= are these bytes, at this file of this process.
func TestSetContext(t *testing.T) {
	directory := t.TempDir()
	file := filepath.Join(directory, "proc", fmt.Sprint(os.Getpid()), "attr", "exec")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	root, err := kernel.OpenRoot(directory)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	f := &first{root: root, plan: Inside{ProcessContext: testProcessContext}}
	wantError(t, f.setContext(), "--selinux-context="+testProcessContext, "no such file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := f.setContext(); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(file); string(got) != testProcessContext {
		t.Errorf("wrote %q", got)
	}
}
