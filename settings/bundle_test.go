package settings

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// minimal is a bundle of nothing but what must be there; fields of more are put beside.
func minimal(more string) string {
	if more != "" {
		more = "," + more
	}
	return `{"ociVersion":"1.2.0","root":{"path":"rootfs"}` + more + `}`
}

func readBundle(config string) (*Bundle, []Problem) {
	return ReadBundle(fstest.MapFS{"b/config.json": {Data: []byte(config)}}, "/b")
}

// bundleSettings returns the settings of a bundle and a command line; problems fail the test.
func bundleSettings(t *testing.T, config string, arguments ...string) Settings {
	t.Helper()
	bundle, problems := readBundle(config)
	cmd, err := ParseCommandLine(append([]string{"--machine=web"}, arguments...))
	if err != nil {
		t.Fatal(err)
	}
	s, more := Combine(cmd, bundle.File)
	for _, p := range append(problems, more...) {
		t.Errorf("%s: %s", config, p)
	}
	return s
}

// Every field of the specification has its row, or is below one that is refused or has no effect.
func TestBundleFields(t *testing.T) {
	for _, pattern := range fieldsOf(reflect.TypeFor[specs.Spec](), "") {
		if covered(pattern) {
			continue
		}
		t.Errorf("%s has no row", pattern)
	}
	known := fieldsOf(reflect.TypeFor[specs.Spec](), "")
	for _, field := range BundleFields() {
		if !slices.Contains(known, field.Path) {
			t.Errorf("%s is not in the specification", field.Path)
		}
		if field.Verdict == Hint && field.Text == "" {
			t.Errorf("%s has no effect, for no reason", field.Path)
		}
	}
}

func covered(pattern string) bool {
	for _, field := range BundleFields() {
		if field.Path == pattern {
			return true
		}
		isBelow := strings.HasPrefix(pattern, field.Path+".") || strings.HasPrefix(pattern, field.Path+"[].")
		if isBelow && (field.Verdict != Honoured || field.take != nil && !hasChildren(field.Path)) {
			return true
		}
	}
	return false
}

// fieldsOf lists the fields of a type as the table names them.
func fieldsOf(t reflect.Type, prefix string) (patterns []string) {
	switch t.Kind() {
	case reflect.Pointer:
		return fieldsOf(t.Elem(), prefix)
	case reflect.Slice:
		return fieldsOf(t.Elem(), prefix+"[]")
	case reflect.Struct:
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			pattern := prefix
			if name != "" {
				pattern = join(prefix, name)
				patterns = append(patterns, pattern)
			}
			patterns = append(patterns, fieldsOf(t.Field(i).Type, pattern)...)
		}
	}
	return patterns
}

// What is refused names the file and the field; what asks for nothing is fine.
func TestBundleRefused(t *testing.T) {
	for more, want := range map[string]string{
		`"linux":{"resources":{"memory":{"limit":1}}}`:                                                    "linux.resources.memory: error: not supported",
		`"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW"}}`:                                          "linux.seccomp: error: not supported",
		`"hooks":{"poststop":[{"path":"/x"}]}`:                                                            "hooks: error: not supported",
		`"process":{"apparmorProfile":"x"}`:                                                               "process.apparmorProfile: error: not supported",
		`"process":{"rlimits":[{"type":"RLIMIT_X","soft":1,"hard":1}]}`:                                   "process.rlimits[0].type: error: RLIMIT_X is not a resource limit",
		`"process":{"rlimits":[{"type":"RLIMIT_NOFILE","soft":2,"hard":1}]}`:                              "process.rlimits[0].soft: error: is higher",
		`"process":{"rlimits":[{"type":"RLIMIT_NOFILE","soft":1}]}`:                                       "process.rlimits[0]: error: needs soft and hard",
		`"process":{"env":["A=1","B"]}`:                                                                   "process.env[1]: error: B is not an assignment",
		`"process":{"args":[]}`:                                                                           "process.args: error: there is no program",
		`"process":{"args":"sh"}`:                                                                         "process.args: error: not a []string but a string",
		`"process":{"cwd":"x"}`:                                                                           "process.cwd: error: ",
		`"process":{"user":{"uid":0}}`:                                                                    "process.user: error: needs uid and gid",
		`"process":{"user":{"uid":-1,"gid":0}}`:                                                           "process.user.uid: error: not a uint32 but a number -1",
		`"process":{"user":{"uid":4294967295,"gid":0}}`:                                                   "process.user: error: 4294967295 is not",
		`"process":{"terminal":true,"consoleSize":{"height":1}}`:                                          "process.consoleSize: error: needs height and width",
		`"process":{"terminal":true,"consoleSize":{"height":1,"width":65536}}`:                            "process.consoleSize.width: error: not a uint16",
		`"process":{"capabilities":{"bounding":["CAP_X"]}}`:                                               "process.capabilities.bounding[0]: error: CAP_X is not a capability",
		`"process":{"capabilities":{"inheritable":["CAP_KILL"]}}`:                                         "process.capabilities.inheritable: error: CAP_KILL is not in bounding",
		`"mounts":[{"destination":"/x","type":"ext4","source":"/dev/x"}]`:                                 "mounts[0].type: error: ext4 on /x: not supported",
		`"mounts":[{"destination":"x"}]`:                                                                  "mounts[0].destination: error: ",
		`"mounts":[{"destination":"/x","source":"y","options":["rbind","shared"]}]`:                       "mounts[0].options[1]: error: shared: not supported",
		`"mounts":[{"destination":"/x","type":"tmpfs","options":["huge=always"]}]`:                        "mounts[0].options[0]: error: huge=always: not supported",
		`"mounts":[{"destination":"/x","type":"bind"}]`:                                                   "mounts[0].source: error: not a path",
		`"mounts":[{"destination":"/x","source":"y","uidMappings":[{"size":1}]}]`:                         "mounts[0].uidMappings: error: not supported",
		`"linux":{"namespaces":[{"type":"pid"},{"type":"ipc"},{"type":"uts"}]}`:                           "linux.namespaces: error: a container without a mount namespace",
		namespaces(`,{"type":"time"}`):                                                                    "linux.namespaces[4].type: error: time: not supported",
		namespaces(`,{"type":"network","path":"/run/x"}`):                                                 "linux.namespaces[4].path: error: not supported",
		namespaces(`,{"type":"pid"}`):                                                                     "linux.namespaces[4].type: error: pid is there twice",
		namespaces(`],"uidMappings":[{"containerID":0,"hostID":1000,"size":65536}`):                       "linux.uidMappings: error: there is no user namespace",
		namespaces(`,{"type":"user"}`):                                                                    "linux.uidMappings: error: other mappings",
		namespaces(`,{"type":"user"}],"uidMappings":[{"containerID":0,"hostID":1,"size":2}`):              "linux.uidMappings: error: other mappings of users than of groups",
		`"linux":{"sysctl":{"kernel.panic":"1"}}`:                                                         "linux.sysctl.kernel.panic: error: not supported: it is the host's",
		`"linux":{"sysctl":{"net.ipv4.ip_forward":"1"}}`:                                                  "linux.sysctl.net.ipv4.ip_forward: error: not supported without a network namespace",
		`"linux":{"sysctl":{"fs.mqueue...x":"1"}}`:                                                        "error: not the name of a parameter",
		`"linux":{"rootfsPropagation":"shared"}`:                                                          "linux.rootfsPropagation: error: shared: not supported",
		`"linux":{"readonlyPaths":["/etc"]}`:                                                              "linux.readonlyPaths[0]: error: /etc is not below",
		`"linux":{"maskedPaths":["etc"]}`:                                                                 "linux.maskedPaths[0]: error: ",
		`"linux":{"devices":[{"path":"/x","type":"c"}]}`:                                                  "linux.devices[0].path: error: /x is not in /dev itself",
		`"linux":{"devices":[{"path":"/dev/x","type":"z"}]}`:                                              "linux.devices[0].type: error: z is not a type",
		`"linux":{"devices":[{"path":"/dev/x","type":"c","uid":1}]}`:                                      "linux.devices[0]: error: a device of another user",
		`"linux":{"resources":{"devices":[{"allow":true,"type":"b","major":8,"minor":0,"access":"r"}]}}`:  "linux.resources.devices[0]: error: not supported: the container does not have it",
		`"linux":{"resources":{"devices":[{"allow":true,"access":"rwm"}]}}`:                               "linux.resources.devices[0]: error: not supported",
		`"linux":{"resources":{"devices":[{"allow":false,"type":"c","major":1,"minor":3,"access":"w"}]}}`: "linux.resources.devices[0]: error: not supported",
		`"vm":{"kernel":{"path":"/x"}}`:                                                                   "vm: error: not supported",
		`"future":{"x":1}`:                                                                                "future: warning: unknown, ignored",
		`"linux":{"future":1}`:                                                                            "linux.future: warning: unknown, ignored",
	} {
		_, problems := readBundle(minimal(more))
		if len(problems) == 0 || !strings.HasPrefix(problems[0].String(), "/b/config.json: "+want) && !strings.HasSuffix(problems[0].String(), want) {
			t.Errorf("%s: %v; want %q", more, problems, want)
		}
	}
	for config, want := range map[string]string{
		`{}`: "ociVersion: error: is missing", `{"ociVersion":"2.0","root":{"path":"x"}}`: "ociVersion: error: version 2.0", `[]`: "error:",
		`{"ociVersion":"1.0.0","root":{}}`: "root.path: error: is missing", minimal("") + "{}": "error: there is something behind", `{"ociVersion`: "error: unexpected EOF",
	} {
		if _, problems := readBundle(config); len(problems) == 0 || !strings.Contains(problems[0].String(), want) {
			t.Errorf("%s: %v; want %q", config, problems, want)
		}
	}
	_, problems := ReadBundle(fstest.MapFS{}, "/b")
	if len(problems) != 1 || !strings.HasPrefix(problems[0].String(), "/b/config.json: error: ") {
		t.Errorf("no bundle: %v", problems)
	}
}

// namespaces are those that a container must have, with more behind.
func namespaces(more string) string {
	return `"linux":{"namespaces":[{"type":"pid"},{"type":"ipc"},{"type":"uts"},{"type":"mount"}` + more + `]}`
}

func TestBundleEmpty(t *testing.T) {
	bundleSettings(t, minimal(`"hooks":{"prestart":[]},"process":{"selinuxLabel":"","terminal":false,"consoleSize":{"height":1,"width":2}},"annotations":{"a":"b"},
		"linux":{"resources":{"memory":{},"pids":null,"devices":[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":1,"minor":3,"access":"rw"},
		{"allow":true,"type":"c","major":136,"access":"rw"}]},"cgroupsPath":"","mountLabel":""},"windows":{"x":1},"solaris":{}`))
}

// The bundle is settings like those of a file: its values have their place, and the command line wins.
func TestBundleSettings(t *testing.T) {
	config := minimal(`"hostname":"inside","domainname":"nis","process":{"args":["/bin/a","b c"],"env":["A=1 2","B="],"cwd":"/srv","noNewPrivileges":true,"oomScoreAdj":5,
		"user":{"uid":7,"gid":8,"additionalGids":[9],"umask":63},"rlimits":[{"type":"RLIMIT_NOFILE","soft":1,"hard":2}],
		"capabilities":{"bounding":["CAP_KILL","CAP_CHOWN"],"inheritable":["CAP_KILL"],"ambient":["CAP_KILL","CAP_CHOWN"]}},
		"mounts":[{"destination":"/proc","type":"proc"},{"destination":"/data","source":"data","options":["rbind","ro","nosuid"]},{"destination":"/t","type":"tmpfs","options":["size=1m","noexec","nosuid"]}],
		"linux":{"namespaces":[{"type":"pid"},{"type":"ipc"},{"type":"uts"},{"type":"mount"},{"type":"network"},{"type":"user"}],
		"uidMappings":[{"containerID":0,"hostID":131072,"size":65536}],"gidMappings":[{"containerID":0,"hostID":131072,"size":65536}],
		"sysctl":{"net.ipv4.ip_forward":"1"},"maskedPaths":["/proc/kcore"],"readonlyPaths":["/proc/bus"],"devices":[{"path":"/dev/x","type":"b","major":8,"minor":1,"fileMode":384}]}`)
	s := bundleSettings(t, config)
	umask := uint32(63)
	at := func(pointer string) Origin { return Origin{File: "/b/config.json", Pointer: pointer} }
	for _, test := range []struct{ got, want any }{
		{s.Exec.Hostname, "inside"}, {s.Exec.Domainname, "nis"}, {s.Exec.Parameters, []string{"/bin/a", "b c"}}, {s.Exec.Environment, []string{"A=1 2", "B="}},
		{s.Exec.WorkingDirectory, "/srv"}, {s.Exec.NoNewPrivileges, true}, {*s.Exec.OOMScoreAdjust, 5}, {s.Exec.Limits, map[string]Limit{"NOFILE": {1, 2}}},
		{s.Exec.Process, Process{at("process.user"), 7, 8, []uint32{9}, &umask, []string{"CAP_KILL"}}},
		{s.Exec.Capability, []string{"CAP_KILL", "CAP_CHOWN"}}, {slices.Contains(s.Exec.DropCapability, "CAP_KILL"), false}, {slices.Contains(s.Exec.DropCapability, "CAP_SYS_ADMIN"), true},
		{s.Exec.AmbientCapability, []string{"CAP_KILL"}},
		{s.Files.Binds, []Bind{{Origin: at("mounts[1]"), Source: "/b/data", Destination: "/data", ReadOnly: true, Recursive: true, NoSUID: true, IDMap: "noidmap"}}},
		{s.Files.TemporaryFileSystem, []TemporaryFileSystem{{at("mounts[2]"), "/t", "size=1m,noexec,mode=1777"}}},
		{s.Network.Private, true}, {s.Exec.PrivateUsers, PrivateUsers{Mode: UsersFixed, Start: 131072, Count: 65536, Ownership: "off"}},
		{s.Exec.Sysctl, []Sysctl{{at("linux.sysctl.net.ipv4.ip_forward"), "net.ipv4.ip_forward", "1"}}},
		{s.Files.Inaccessible, []Inaccessible{{at("linux.maskedPaths[0]"), "/proc/kcore", true}}}, {s.Files.Protected, []ProtectedPath{{at("linux.readonlyPaths[0]"), "/proc/bus"}}},
		{s.Files.Devices, []Device{{at("linux.devices[0]"), "x", 'b', 8, 1, 0o600}}}, {s.Exec.ResolvConf, "off"}, {s.Exec.Timezone, "off"}, {s.Exec.LinkJournal.Mode, "no"},
		{s.Origin("Exec.Environment").String(), "/b/config.json: process.env[1]"}, {s.Origin("Exec.Hostname").String(), "/b/config.json: hostname"},
	} {
		if !reflect.DeepEqual(test.got, test.want) {
			t.Errorf("got %#v, want %#v", test.got, test.want)
		}
	}
	s = bundleSettings(t, config, "--hostname=other", "--bind=/x", "--private-users=no", "/bin/true")
	if s.Exec.Hostname != "other" || len(s.Files.Binds) != 1 || s.Files.Binds[0].Source != "/x" || len(s.Files.TemporaryFileSystem) != 0 || s.Exec.PrivateUsers.Mode != UsersNo || !slices.Equal(s.Exec.Parameters, []string{"/bin/true"}) {
		t.Errorf("the command line does not win: %+v", s)
	}
	if bundle, _ := readBundle(minimal("")); bundle.Console != "pipe" || bundle.Root != "/b/rootfs" {
		t.Errorf("%+v", bundle)
	}
	if bundle, _ := readBundle(minimal(`"process":{"terminal":true,"consoleSize":{"height":1,"width":2}}`)); bundle.ConsoleSize != (ConsoleSize{1, 2}) {
		t.Errorf("%+v", bundle.ConsoleSize)
	}
	if bundle, _ := readBundle(minimal(`"process":{"terminal":true}`)); bundle.Console != "" {
		t.Errorf("%+v", bundle)
	}
}

// docs/oci.md has the table.
func TestBundleDocumentation(t *testing.T) {
	const begin, end = "<!-- table of fields: go test ./settings -update writes it -->\n", "<!-- end of table -->\n"
	var table strings.Builder
	table.WriteString("| Field | Honoured | |\n|---|---|---|\n")
	for _, field := range BundleFields() {
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", field.Path, field.Verdict, field.Text)
	}
	const name = "../docs/oci.md"
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(data), begin)
	_, after, found := strings.Cut(rest, end)
	want := before + begin + table.String() + end + after
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !found || !*update && string(data) != want {
		t.Errorf("%s is not up to date (-update writes it)", name)
	}
}

// FuzzReadBundle checks that no configuration does harm, and that one without errors gives settings.
func FuzzReadBundle(f *testing.F) {
	f.Add(minimal(`"process":{"args":["sh"],"env":["A=1"],"user":{"uid":1,"gid":2}},"linux":{"sysctl":{"net.x":"1"},"namespaces":[{"type":"pid"}]}`))
	f.Add(minimal(`"mounts":[{"destination":"/x","type":"tmpfs","options":["mode=1"]},{"destination":"/y","source":"z"}]`))
	f.Add(`{"root":[{}],"process":1,"linux":{"resources":{"devices":[{"allow":true,"major":-1}]}}}`)
	f.Fuzz(func(t *testing.T, config string) {
		bundle, problems := readBundle(config)
		if !json.Valid([]byte(config)) && len(problems) == 0 {
			t.Error("not JSON, but read")
		}
		if slices.ContainsFunc(problems, func(p Problem) bool { return p.Severity == Error }) {
			return
		}
		if !strings.HasPrefix(bundle.Root, "/") {
			t.Errorf("root %q", bundle.Root)
		}
		Combine(CommandLine{Machine: "web"}, bundle.File)
	})
}
