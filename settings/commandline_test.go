package settings

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestParseCommandLine(t *testing.T) {
	base := CommandLine{Settings: SettingsYes, Register: "auto"}
	for _, test := range []struct {
		args   string
		change func(*CommandLine)
		set    string // keys, in order
	}{
		{"", func(c *CommandLine) {}, ""},
		{"-bD /srv/x", func(c *CommandLine) { c.Directory = "/srv/x" }, "Boot=yes"},
		{"-bD/srv/x -q", func(c *CommandLine) { c.Directory, c.Quiet = "/srv/x", true }, "Boot=yes"},
		{"--mach web --direc=/x", func(c *CommandLine) { c.Machine, c.Directory = "web", "/x" }, ""},
		{"-M web -n ls -l -b", func(c *CommandLine) { c.Machine, c.Parameters = "web", []string{"ls", "-l", "-b"} }, "VirtualEthernet=yes"},
		{"-M web -- -b", func(c *CommandLine) { c.Machine, c.Parameters = "web", []string{"-b"} }, ""},
		{"-M web - -b", func(c *CommandLine) { c.Machine, c.Parameters = "web", []string{"-", "-b"} }, ""},
		{"-Z u:r:t:s0:c0,c1 -L u:o:t", func(c *CommandLine) { c.SELinuxContext, c.SELinuxAPIFSContext = "u:r:t:s0:c0,c1", "u:o:t" }, ""},
		{"--user=www-data --user 33 ls", func(c *CommandLine) { c.Parameters = []string{"ls"} }, "User=www-data User=33"},
		{"-M web -M a.b", func(c *CommandLine) { c.Machine = "a.b" }, ""},
		{"--machine= --quiet", func(c *CommandLine) { c.Quiet = true }, ""},
		{"--keep-unit --register=no -S a.slice", func(c *CommandLine) { c.KeepUnit, c.Register, c.Slice = true, "no", "a.slice" }, ""},
		{"--settings=no", func(c *CommandLine) { c.Settings = SettingsNo }, ""},
		{"--settings=1", func(c *CommandLine) {}, ""},
		{"--settings override", func(c *CommandLine) { c.Settings = SettingsOverride }, ""},
		{"--settings=trusted --console=pipe", func(c *CommandLine) { c.Settings, c.Console = SettingsTrusted, "pipe" }, ""},
		{"-P --no-pager --no-ask-password --system", func(c *CommandLine) { c.Console, c.NoAskPassword = "pipe", true }, ""},
		{"-i a/web.raw --image-policy=*", func(c *CommandLine) { c.Image = DiskImage{Path: "a/web.raw", Policy: "*"} }, ""},
		{"--dry-run --cleanup -M web", func(c *CommandLine) { c.DryRun, c.Cleanup, c.Machine = true, true, "web" }, ""},
		{"-h --nonsense", func(c *CommandLine) { c.Help, c.Topic = true, "yes" }, ""},
		{"--help=mounts", func(c *CommandLine) { c.Help, c.Topic = true, "mounts" }, ""},
		{"--version", func(c *CommandLine) { c.Version = true }, ""},
		{"--capability=help", func(c *CommandLine) { c.ListCapabilities = true }, ""},
		{"--ambient-capability=help", func(c *CommandLine) { c.ListCapabilities = true }, ""},
		{"-Uj", func(c *CommandLine) {}, "PrivateUsers=pick PrivateUsersOwnership=auto LinkJournal=try-guest"},
		{"--private-users --private-users=0 --private-users=no", func(c *CommandLine) {}, "PrivateUsers=yes PrivateUsers=0 PrivateUsers=no"},
		{"-p80 --port=udp:53:5353 --rlimit=RLIMIT_NOFILE=1:2 --rlimit NICE=-5", func(c *CommandLine) {}, "Port=80 Port=udp:53:5353 LimitNOFILE=1:2 LimitNICE=-5"},
		{"--capability=CAP_KILL,cap_chown --drop-capability=all", func(c *CommandLine) {}, "Capability=CAP_KILL,cap_chown DropCapability=all"},
		{"-E HOME -E GONE --setenv=A=b", func(c *CommandLine) {}, "Environment=HOME=/root Environment=GONE= Environment=A=b"},
		{"--bind=relative:/x --read-only --uuid=0123456789abcdef0123456789abcdef", func(c *CommandLine) {}, "Bind=relative:/x ReadOnly=yes MachineID=0123456789abcdef0123456789abcdef"},
	} {
		want := base
		test.change(&want)
		got, err := ParseCommandLine(strings.Fields(test.args), "HOME=/root", "HOMER=no")
		if err != nil {
			t.Errorf("%s: %v", test.args, err)
			continue
		}
		var set []string
		for _, a := range got.assignments {
			set = append(set, a.key.Name+"="+a.value.text)
		}
		if strings.Join(set, " ") != test.set {
			t.Errorf("%s: set %q", test.args, set)
		}
		if !slices.Equal(got.Parameters, want.Parameters) {
			t.Errorf("%s: parameters %q", test.args, got.Parameters)
		}
		got.assignments, got.scratch, got.environ, got.Parameters, want.Parameters = nil, Settings{}, nil, nil, nil
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", test.args, got, want)
		}
	}
}

func TestUsageError(t *testing.T) {
	for argument, want := range map[string]string{
		"--nonsense": "nspawn-exec --help=all", "-y": "nspawn-exec --help=all", "--bin": "nspawn-exec --help=all", "--bind": "Bind= in nspawnkit.nspawn(5)", "-D": "--directory in nspawn-exec(1)",
		"--boot=yes": "Boot= in nspawnkit.nspawn(5)", "--network-zone=a/b": "Zone= in nspawnkit.nspawn(5)", "-j": "", "--register=x": "--register in nspawn-exec(1)",
	} {
		_, err := ParseCommandLine([]string{argument})
		see := ""
		if usage, ok := errors.AsType[*UsageError](err); ok {
			see = usage.See
		}
		if see != want {
			t.Errorf("%s: see %q, want %q", argument, see, want)
		}
	}
}

func TestCommandLineErrors(t *testing.T) {
	const scopeOfUser = "--user: containers of a user's own service manager are not supported yet: run it as root without this option; " +
		"the user of the command is --uid=NAME"
	for _, test := range []struct{ args, want string }{
		{"--nonsense", "unrecognized option '--nonsense'"},
		{"--dry", "unrecognized option '--dry'"},
		{"--mac web", ""},
		{"--bin", "option '--bin' is ambiguous; possibilities: '--bind' '--bind-ro' '--bind-user' '--bind-user-shell' '--bind-user-group'"},
		{"--bind", "option '--bind' requires an argument"},
		{"--boot=yes", "option '--boot' doesn't allow an argument"},
		{"-y", "invalid option -- 'y'"},
		{"-bD", "option requires an argument -- 'D'"},
		{"-b -a", "--boot and --as-pid2 may not be combined"},
		{"-ab", "--boot and --as-pid2 may not be combined"},
		{"-a", ""},
		{"-xb", ""},
		{"--template=/a -D /b", ""},
		{"--template=/a", "--template needs --directory= or --machine="},
		{"--template= -D /b", "--template=: path is empty"},
		{"--volatile", ""},
		{"--volatile=maybe", "--volatile=maybe: not a boolean, state or overlay"},
		{"--personality=x86", ""},
		{"--volatile=no", ""},
		{"--image=x", ""},
		{"--image=", "--image=: path is empty"},
		{"-i x -D y", "--directory, --image, --mstack and --oci-bundle may not be combined"},
		{"-i x --template=y", "--template makes a directory: it may not be combined with --image, --mstack or --oci-bundle"},
		{"--image-policy=root=verty", `--image-policy=root=verty: unknown flag "verty", known are open ignore verity signed encrypted unprotected unused absent read-only-on read-only-off growfs-on growfs-off btrfs erofs ext4 f2fs squashfs vfat xfs`},
		{"--image-policy=", `--image-policy=: policy is empty: "-" is the one that uses nothing`},
		{"--root-hash=00", "--root-hash=00: a root hash has at least 128 bits"},
		{"--root-hash=xyz", "--root-hash=xyz: not hexadecimal digits"},
		{"--root-hash-sig=base64:!", "--root-hash-sig=base64:!: not base64"},
		{"--root-hash-sig=base64:AAAA --root-hash=00112233445566778899aabbccddeeff --verity-data=x -i y", ""},
		{"-u root", ""},
		{"-u www-data", ""},
		{"--user", scopeOfUser}, {"--user -- ls", scopeOfUser}, {"--user -b", scopeOfUser}, {"--user=", scopeOfUser},
		{"--user=a/b", "--user=a/b: a/b is not the name of a user"},
		{"--network-macvlan=a/b", "--network-macvlan=a/b: interface name a/b has bad characters"},
		{"-Z u:r", "--selinux-context=u:r: not an SELinux context such as system_u:system_r:svirt_lxc_net_t:s0:c0,c1"},
		{"-Z u::t", "--selinux-context=u::t: not an SELinux context such as system_u:system_r:svirt_lxc_net_t:s0:c0,c1"},
		{"-L u:r:t:", "--selinux-apifs-context=u:r:t:: not an SELinux context such as system_u:system_r:svirt_lxc_net_t:s0:c0,c1"},
		{"-L=", "--selinux-apifs-context==: not an SELinux context such as system_u:system_r:svirt_lxc_net_t:s0:c0,c1"},
		{"--private-users=managed", ""},
		{"-M a_b", "--machine=a_b: invalid machine name"},
		{"--settings=maybe", "--settings=maybe: not a boolean, override or trusted"},
		{"--console=tty", "--console=tty: not one of interactive, read-only, passive, pipe, autopipe"},
		{"--register=maybe", "--register=maybe: not a boolean"},
		{"--slice=a/b", "--slice=a/b: not the name of a slice"},
		{"--cleanup", "--cleanup needs --machine=, --directory=, --image=, --mstack= or --oci-bundle="},
		{"--network-zone=../x", "--network-zone=../x: not a valid zone name"},
		{"-p 80 -p 80", "--port=80: host port tcp:80 is already used at --port"},
		{"--rlimit=NOFILE", "--rlimit=NOFILE: not an assignment"},
		{"--rlimit=FOO=1", "--rlimit=FOO=1: unknown resource limit FOO"},
		{"--rlimit=NOFILE=2:1", "--rlimit=NOFILE=2:1: soft limit is higher than the hard limit"},
		{"--setenv=1A=b", "--setenv=1A=b: 1A is not a variable name"},
		{"--directory=", "--directory=: path is empty"},
		{"--capability=CAP_FOO", "--capability=CAP_FOO: CAP_FOO is not a capability"},
	} {
		_, err := ParseCommandLine(strings.Fields(test.args))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.args, got, test.want)
		}
	}
}

func TestCommandLineLoad(t *testing.T) {
	fsys := fstest.MapFS{
		"var/lib/machines/web.nspawn": text("[Network]\nZone=a\n"),
		"srv/web.nspawn":              text("[Network]\nZone=b\n"),
	}
	for _, test := range []struct{ args, path, problems string }{
		{"-M web", "/var/lib/machines/web.nspawn", "/var/lib/machines/web.nspawn:2: warning: Zone= is ignored, the file is not trusted"},
		{"-D /srv/web/", "/srv/web.nspawn", "/srv/web.nspawn:2: warning: Zone= is ignored, the file is not trusted"},
		{"-D /srv/web --settings=trusted", "/srv/web.nspawn", ""},
		{"-M web --settings=no", "", ""},
	} {
		c, err := ParseCommandLine(strings.Fields(test.args))
		if err != nil {
			t.Fatal(err)
		}
		if file, problems := c.Load(fsys); file.Path != test.path || joinProblems(problems) != test.problems {
			t.Errorf("%s: %s %v", test.args, file.Path, problems)
		}
	}
}
