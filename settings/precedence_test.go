package settings

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"nspawnkit/container/capability"
	"nspawnkit/test/precedence"
)

// TestPrecedenceTable checks each row of docs/precedence.md on the settings that come out.
func TestPrecedenceTable(t *testing.T) {
	rows, err := precedence.Rows("../docs/precedence.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		t.Run(row.Name(), func(t *testing.T) {
			c := commandLineOf(t, append([]string{"--machine=web", "--directory=/var/lib/machines/web"}, row.Arguments...))
			file, problems := c.Load(filesOf(row))
			s, more := Combine(c, file)
			got := map[string]string{}
			if !slices.ContainsFunc(append(withoutPending(problems), more...), func(p Problem) bool { return p.Severity == Error }) {
				got = describe(s)
			} else {
				got["refused"] = "yes"
			}
			for aspect, want := range row.Result {
				if got[aspect] != want {
					t.Errorf("%s is %q, want %q (%s)", aspect, got[aspect], want, joinProblems(problems))
				}
			}
		})
	}
}

// filesOf lays the files of a row out.
func filesOf(row precedence.Row) fstest.MapFS {
	fsys := fstest.MapFS{}
	for _, f := range row.Files {
		name := map[string]string{
			"trusted": "etc/systemd/nspawn/web.nspawn", "beside": "var/lib/machines/web.nspawn",
			"drop-in": "run/systemd/nspawn/web.nspawn.d/10-row.conf",
		}[f.Place]
		fsys[name] = text(f.Text)
		if f.Mask {
			fsys[name] = link("/dev/null")
		}
	}
	return fsys
}

// commandLineOf parses arguments; options that are not supported yet count as if they were.
func commandLineOf(t *testing.T, args []string) CommandLine {
	t.Helper()
	var pending []assignment
	args = slices.DeleteFunc(args, func(arg string) bool {
		option, text, found := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		if !found {
			text = "yes"
		}
		i := slices.IndexFunc(keys[:], func(k Key) bool { return k.pending && k.Option == option })
		if i >= 0 {
			pending = append(pending, assignment{&keys[i], value{text, Origin{Option: "--" + option}}, true})
		}
		return i >= 0
	})
	c, err := ParseCommandLine(args)
	if err != nil {
		t.Fatal(err)
	}
	c.assignments = append(c.assignments, pending...)
	return c
}

// withoutPending leaves out that a key is not supported yet.
func withoutPending(problems []Problem) []Problem {
	return slices.DeleteFunc(slices.Clone(problems), func(p Problem) bool { return strings.Contains(p.Text, "not supported yet") })
}

// describe says what the table observes.
func describe(s Settings) map[string]string {
	e := s.Exec
	got := map[string]string{
		"links": describeLinks(s.Network), "mounts": describeMounts(s.Files), "caps": describeCapabilities(s),
		"env":      sorted(e.Environment),
		"hostname": e.Hostname, "read-only": yesNo(s.Files.ReadOnly), "no-new-privileges": yesNo(e.NoNewPrivileges), "cwd": e.WorkingDirectory,
		"uuid": e.MachineID, "nofile": fmt.Sprint(e.Limits["NOFILE"].Hard), "core": fmt.Sprint(e.Limits["CORE"].Hard),
		"owner": "root",
	}
	if e.Hostname == "" {
		got["hostname"] = s.Machine
	}
	if e.Boot {
		got["start"] = strings.Join(append([]string{"boot"}, e.Parameters...), " ")
	} else if len(e.Parameters) == 0 {
		got["start"] = "shell"
	} else {
		as := map[bool]string{false: "program", true: "stub"}[e.ProcessTwo]
		got["start"] = strings.Join(append([]string{as}, e.Parameters[1:]...), " ")
	}
	switch users := e.PrivateUsers; users.Mode {
	case UsersFixed:
		got["users"] = fmt.Sprint(users.Start)
	case UsersYes: // the table's image belongs to root
		got["users"] = string(UsersIdentity)
	default:
		got["users"] = string(users.Mode)
	}
	if users := e.PrivateUsers; users.Ownership == "off" && (users.Mode == UsersPick || users.Start > 0) {
		got["owner"] = "nobody"
	}
	if e.OOMScoreAdjust != nil {
		got["oom"] = strconv.Itoa(*e.OOMScoreAdjust)
	}
	var ports, denied []string
	for _, p := range s.Network.Ports {
		ports = append(ports, fmt.Sprint(p.Host))
	}
	for _, name := range []string{"chroot", "sethostname"} {
		if slices.Contains(e.SystemCallFilter, "~"+name) {
			denied = append(denied, name)
		}
	}
	got["ports"], got["denied"] = sorted(ports), sorted(denied)
	return got
}

func describeLinks(n Network) string {
	var links []string
	switch {
	case !n.Private || n.NamespacePath != "": // the namespace that rows name is the host's
		return "host"
	case n.Zone != "":
		links = append(links, "zone="+n.Zone)
	case n.Bridge != "":
		links = append(links, "bridge="+n.Bridge)
	case n.VirtualEthernet:
		links = append(links, "veth")
	}
	for _, l := range n.VirtualEthernetExtra {
		links = append(links, l.Host)
	}
	for _, l := range n.MACVLAN {
		links = append(links, "macvlan="+l.Host)
	}
	for _, l := range n.Interfaces {
		links = append(links, "interface="+l.Host)
	}
	return sorted(links)
}

func describeMounts(f Files) string {
	var mounts []string
	for _, b := range f.Binds {
		mounts = append(mounts, b.Destination+"=bind")
	}
	for _, m := range f.TemporaryFileSystem {
		mounts = append(mounts, path.Clean(m.Path)+"=tmpfs")
	}
	for _, o := range f.Overlays {
		mounts = append(mounts, o.Destination+"=overlay")
	}
	return sorted(mounts)
}

func describeCapabilities(s Settings) string {
	set, err := capability.Retained(capability.Options{
		Add: s.Exec.Capability, Drop: s.Exec.DropCapability, PrivateNetwork: s.Network.Private, Last: capability.LastKnown,
	})
	if err != nil {
		return err.Error()
	}
	var names []string
	for _, number := range (set & capability.Of(capability.CHOWN, capability.NET_ADMIN, capability.SYS_TIME)).Numbers() {
		names = append(names, strings.ToLower(strings.TrimPrefix(capability.Name(number), "CAP_")))
	}
	return sorted(names)
}

// sorted joins words, "none" if there are none; of variables the last value counts.
func sorted(words []string) string {
	last := map[string]string{}
	for _, word := range words {
		name, _, isVariable := strings.Cut(word, "=")
		if !isVariable || len(name) > 1 {
			name = word
		}
		last[name] = word
	}
	if len(last) == 0 {
		return "none"
	}
	var list []string
	for _, word := range last {
		list = append(list, word)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
