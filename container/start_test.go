package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"nspawnkit/container/kernel"
	"nspawnkit/settings"
)

// What --dry-run prints: the start sequence by container.
func TestSteps(t *testing.T) {
	for name, change := range map[string]func(*settings.Settings, *Options, *Host){
		"plain": func(_ *settings.Settings, o *Options, _ *Host) { o.Console = "pipe" },
		"boot": func(s *settings.Settings, _ *Options, _ *Host) {
			s.Exec.Boot, s.Exec.PrivateUsers.Mode = true, settings.UsersPick
			s.Network.Private, s.Network.VirtualEthernet = true, true
		},
		"ephemeral": func(s *settings.Settings, _ *Options, _ *Host) { s.Exec.Ephemeral = true },
		"image":     func(s *settings.Settings, o *Options, _ *Host) { s.Exec.Ephemeral, o.Image = true, "/web.raw" },
		"nested":    func(_ *settings.Settings, _ *Options, h *Host) { h.InUserNamespace = true },
		"nesting": func(s *settings.Settings, _ *Options, _ *Host) {
			s.Exec.PrivateUsers.Mode, s.Network.Private, s.Exec.Nesting = settings.UsersPick, true, true
		},
		"template": func(_ *settings.Settings, o *Options, _ *Host) { o.Template, o.Populate = "/template", true },
		"everything": func(s *settings.Settings, o *Options, _ *Host) {
			o.Credentials = []settings.Credential{{ID: "a"}}
			s.Exec.PrivateUsers.Mode, s.Network.Private, s.Files.ReadOnly = settings.UsersPick, true, true
			s.Exec.NoNewPrivileges, s.Exec.ResolvConf, s.Exec.Timezone = true, "copy-host", "delete"
			o.SELinuxContext = testProcessContext
		},
	} {
		t.Run(name, func(t *testing.T) {
			var text strings.Builder
			for _, list := range mustDecide(t, change).Steps() {
				if sorted := slices.Sorted(slices.Values(list.Steps)); len(slices.Compact(sorted)) != len(list.Steps) {
					t.Errorf("a name twice in %q", list)
				}
				fmt.Fprintln(&text, strings.Join(list.Steps, "\n"))
				fmt.Fprintln(&text)
			}
			golden(t, "steps-"+name+".golden", text.String())
		})
	}
}

// The order that the isolation depends on: nothing may run between the filter and the payload, and no_new_privs comes first.
func TestLastStepsOfInner(t *testing.T) {
	lists := mustDecide(t, func(s *settings.Settings, _ *Options, _ *Host) { s.Exec.NoNewPrivileges = true }).Steps()
	inner := lists[slices.IndexFunc(lists, func(list StepList) bool { return list.Name == "inner" })].Steps
	want := []string{"die with the supervisor", "close descriptors", "set no_new_privs", "limit capabilities", "filter system calls", "execute payload"}
	if got := inner[len(inner)-len(want):]; strings.Join(got, ";") != strings.Join(want, ";") {
		t.Errorf("the last steps are %q, want %q", got, want)
	}
}

// A container that somebody had killed has not ended for lack of memory, though there was some before.
func TestLackOfMemory(t *testing.T) {
	for want, test := range map[string]struct {
		inside, unit string
	}{
		"": {"oom 0\noom_kill 0\n", "oom 0\n"},
		": the host ran out of memory, the kernel has killed 2 of its processes":                                  {"oom 0\noom_kill 2\n", "oom 0\n"},
		": it has reached its limit of memory (MemoryMax= of its unit), the kernel has killed 1 of its processes": {"oom 0\noom_kill 1\n", "oom 3\n"},
	} {
		unit := t.TempDir()
		group := filepath.Join(unit, "payload")
		problems := []error{
			os.Mkdir(group, 0o755), os.WriteFile(filepath.Join(group, "memory.events"), []byte(test.inside), 0o644),
			os.WriteFile(filepath.Join(unit, "memory.events"), []byte(test.unit), 0o644),
		}
		if err := errors.Join(problems...); err != nil {
			t.Fatal(err)
		}
		r := &Running{remains: remains{Group: &kernel.ControlGroup{Directory: group}}}
		if got := r.lackOfMemory(); got != want {
			t.Errorf("%+v: %q, want %q", test, got, want)
		}
		if r.killed = true; r.lackOfMemory() != "" {
			t.Errorf("%+v, killed: %q", test, r.lackOfMemory())
		}
	}
}

// systemd-nspawn(1), "EXIT STATUS"; the wait status of reboot(2) is described in pid_namespaces(7).
func TestClassify(t *testing.T) {
	exited := func(status int) syscall.WaitStatus { return syscall.WaitStatus(status << 8) }
	killed := func(signal syscall.Signal) syscall.WaitStatus { return syscall.WaitStatus(signal) }
	for name, test := range map[string]struct {
		status syscall.WaitStatus
		want   End
		err    string
	}{
		"success":          {exited(0), End{}, ""},
		"status":           {exited(7), End{Status: 7}, ""},
		"133":              {exited(133), End{Status: 1}, "133"},
		"reboot":           {killed(syscall.SIGHUP), End{Reboot: true, Status: 133}, ""},
		"power off":        {killed(syscall.SIGINT), End{}, ""},
		"killed":           {killed(syscall.SIGKILL), End{Status: 1}, "terminated by signal KILL"},
		"crashed and dump": {killed(syscall.SIGSEGV) | 0x80, End{Status: 1}, "terminated by signal SEGV"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &Running{machine: "web", log: func(int, string) {}}
			got, err := r.classify(test.status, nil)
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			if test.err != "" {
				wantError(t, err, "web", test.err)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}
