package settings

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseEnvironment(t *testing.T) {
	for assignment, want := range map[string]Environment{
		"HOME=/root":                                   {},
		"SYSTEMD_NSPAWN_LOCK=0":                        {NoLock: true},
		"SYSTEMD_NSPAWN_LOCK=off":                      {NoLock: true},
		"SYSTEMD_NSPAWN_LOCK=1":                        {},
		"SYSTEMD_NSPAWN_CHECK_OS_RELEASE=no":           {AnyTree: true},
		"SYSTEMD_NSPAWN_TMPFS_TMP=false":               {ImageTmp: true},
		"SYSTEMD_NSPAWN_TMPFS_TMP=yes":                 {},
		"SYSTEMD_SECCOMP=0":                            {NoFilter: true},
		"SYSTEMD_NSPAWN_API_VFS_WRITABLE=1":            {Writable: WritableYes},
		"SYSTEMD_NSPAWN_API_VFS_WRITABLE=no":           {},
		"SYSTEMD_NSPAWN_API_VFS_WRITABLE=network":      {Writable: WritableNetwork},
		"SYSTEMD_NSPAWN_CONTAINER_SERVICE=nixos":       {Service: "nixos"},
		"SYSTEMD_NSPAWN_NETWORK_MAC=12:34:56:78:90:AB": {MAC: "12:34:56:78:90:ab"},
		"SYSTEMD_NSPAWN_USE_CGNS=1":                    {},
		"SYSTEMD_NSPAWN_USE_CGNS=0":                    {HostView: true},
		"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1":           {},
		"SYSTEMD_NSPAWN_SHARE_NS_PID=0":                {},
		"SYSTEMD_LOG_SECCOMP=0":                        {},
	} {
		if got, err := ParseEnvironment([]string{"A=1", assignment}); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v, want %+v", assignment, got, err, want)
		}
	}
}

// Nothing is ignored silently: what cannot be done refuses the container or, as in systemd-nspawn, is a warning.
func TestParseEnvironmentProblems(t *testing.T) {
	for assignment, want := range map[string]string{
		"SYSTEMD_NSPAWN_TMPFS_TMP=x":                   "error: not a boolean",
		"SYSTEMD_NSPAWN_API_VFS_WRITABLE=x":            "error: not a boolean or network",
		"SYSTEMD_NSPAWN_API_VFS_WRITABLE=":             "error: not a boolean or network",
		"SYSTEMD_NSPAWN_CONTAINER_SERVICE=a b":         "error: not a name",
		"SYSTEMD_NSPAWN_NETWORK_MAC=12-34":             "error: not the hardware address",
		"SYSTEMD_NSPAWN_NETWORK_MAC=":                  "error: not the hardware address",
		"SYSTEMD_NSPAWN_NETWORK_MAC=1234.5678.90ab":    "error: not the hardware address",
		"SYSTEMD_NSPAWN_NETWORK_MAC=ff:34:56:78:90:ab": "error: not the hardware address",
		"SYSTEMD_NSPAWN_USE_CGNS=x":                    "warning: not a boolean",
		"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=0":           "error: not supported: containers have the unified hierarchy",
		"UNIFIED_CGROUP_HIERARCHY=no":                  "error: not supported",
		"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=x":           "error: not a boolean",
		"SYSTEMD_NSPAWN_SHARE_NS_UTS=yes":              "error: not supported",
		"SYSTEMD_NSPAWN_SHARE_SYSTEM=1":                "error: not supported",
		"SYSTEMD_NSPAWN_LOCK=x":                        "warning: not a boolean: has no effect here, ignoring",
		"SYSTEMD_NSPAWN_CHECK_OS_RELEASE=":             "warning: not a boolean",
		"SYSTEMD_SECCOMP=x":                            "warning: not a boolean",
		"SYSTEMD_LOG_SECCOMP=1":                        "warning: has no effect here",
	} {
		e, err := ParseEnvironment([]string{assignment})
		got := strings.Join(e.Warnings, "; ")
		if err != nil {
			got = err.Error()
		}
		kind, text, _ := strings.Cut(want, ": ")
		if (err != nil) != (kind == "error") || !strings.HasPrefix(got, "$"+assignment+": "+text) {
			t.Errorf("%s: %q, %v, want %s", assignment, got, err, want)
		}
	}
}
