package settings

import "regexp"

// difference is a meant difference between this package and systemd-nspawn.
type difference struct {
	line     string // regular expression for "[Section] Key=Value" or "--option=value"
	from, to int    // versions of systemd-nspawn, 0: no bound
	ours     bool   // we find the line bad, systemd-nspawn does not; otherwise the other way round
	rare     bool   // only random files have it, testdata/oracle.nspawn does not
	reason   string
}

func (d *difference) applies(version int) bool {
	return version >= d.from && (d.to == 0 || version <= d.to)
}

// known returns the entry for a line that one side only finds bad: we or systemd-nspawn.
func (o *oracle) known(line string, we bool) *difference {
	for i := range differences {
		d := &differences[i]
		if d.ours == we && d.applies(o.version) && regexp.MustCompile(d.line).MatchString(line) {
			return d
		}
	}
	return nil
}

// differences are all that are known and meant.
var differences = []difference{
	// Keys and values that came later.
	{line: `^\[Files\] BindUserShell=`, to: 257, reason: "since 258"},
	{line: `^\[Network\] NamespacePath=`, to: 258, reason: "since 259"},
	{line: `^\[Exec\] PrivateUsersDelegate=`, to: 259, reason: "since 260"},
	{line: `^\[Exec\] RestrictAddressFamilies=`, to: 260, reason: "since 261"},
	{line: `^\[Exec\] PrivateUsers=managed$`, to: 257, reason: "since 258"},
	{line: `^\[Files\] PrivateUsersOwnership=foreign$`, to: 257, reason: "since 258"},

	{line: `^\[Network\] Port=(sctp:|.*\d-\d|.*\.)`, reason: "sctp, ranges and addresses are ours"},
	{line: `^--port=(sctp:|.*\d-\d|.*\.)`, rare: true, reason: "sctp, ranges and addresses are ours"},
	{line: `^--uid=`, to: 257, rare: true, reason: "--user=, of another meaning since 258"},
	{line: `^--restrict-address-families=`, to: 260, rare: true, reason: "since 261"},
	{line: `^--private-users-delegate=`, to: 259, rare: true, reason: "since 260"},
	{line: `^--network-(interface|macvlan)=`, to: 252, rare: true, reason: "pairs since 253, lists since 257"},
	{ours: true, line: `^--cpu-affinity=3-1$`, to: 261, rare: true, reason: "refused since 262, before ignored with a warning"},
	{ours: true, line: `^\[Exec\] (Ambient|Drop)?Capability=.*6`, to: 256, reason: "since 257 the highest capability is 62"},
	{ours: true, line: `^\[.*[+-]0[bB]`, from: 253, to: 261, reason: "257 of trixie is built with a strtol that takes 0b behind a sign, 252 and 262 are not"},

	{ours: true, line: `^\[\]$`, to: 261, rare: true, reason: "262 gives a file with an empty section name up, too"},

	// What systemd-nspawn reads and fails with at the start, without the line.
	{ours: true, line: `^\[Exec\] Environment=`, reason: "no variable has such a name; systemd-nspawn passes it on"},
	{ours: true, line: `^\[Exec\] User=`, reason: "no user has such a name or number; systemd-nspawn looks for it in the container"},
	{ours: true, line: `^\[Exec\] PrivateUsersDelegate=`, from: 260, reason: "more than 16; systemd-nspawn finds out when it allocates"},
	{ours: true, line: `^\[Exec\] SystemCallFilter=`, reason: "no system call has such a name; systemd-nspawn ignores it silently"},
	{ours: true, line: `^\[Files\] Bind(ReadOnly)?=.*:.*:`, reason: "unknown option; systemd-nspawn finds out when it mounts"},
	{ours: true, line: `^\[Network\] VirtualEthernetExtra=[^:]*:`, reason: "bad name in the container; systemd-nspawn takes that of the host instead"},
	{ours: true, line: `^\[Network\] (Interface|MACVLAN|IPVLAN)=`, to: 252, reason: "bad name; systemd-nspawn 252 finds no such interface"},

	{ours: true, line: `^\[(Strange|exec)\].*line ignored`, rare: true, reason: "a bad line in an unknown section is worth a warning"},

	{ours: true, line: `^--system-call-filter=`, rare: true, reason: "as in a file"},

	// What would be dangerous or puzzling.
	{ours: true, line: `^\[Files\] .*\.\.`, reason: "no path may leave where it seems to be"},
	{ours: true, line: `^\[(Exec|Network)\] (WorkingDirectory|NamespacePath)=.*\.\.`, from: 257, rare: true, reason: "since 257 /.. is /; no path may leave where it seems to be"},
	{ours: true, line: `^\[Files\] (Bind|Overlay)`, reason: "a relative path: relative to the working directory, which a file cannot know"},
	{ours: true, line: `^\[Network\] (Bridge|Zone|Interface|MACVLAN|IPVLAN|VirtualEthernetExtra)=.*([^\w+@~#=:. \t-]|\.\.)`,
		reason: "a name that needs quotes or escapes elsewhere"},
	{ours: true, line: `^--network-zone=$`, rare: true, reason: "a zone without name, on the bridge vz-"},
	{ours: true, line: `^\[(Files|Network)\] .{999}`, rare: true, reason: "a path longer than PATH_MAX; systemd-nspawn finds out when it mounts"},
	{ours: true, line: `[\x01-\x09\x0b-\x1f\x7f]`, rare: true, reason: "no control character gets into a path, a unit or a log"},
}
