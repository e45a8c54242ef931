package main_test

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// usersHost gives the host users of all kinds, with homes in $homes; it is followed by the program to run.
const usersHost = `cp /etc/machine-id /run/id; cp -L /usr/lib/os-release /run/release; mount -t tmpfs test /etc; mv /run/id /etc/machine-id; mv /run/release /etc/os-release
	mkdir -p /etc/userdb /run/userdb
	cat >/etc/passwd <<-X
		root:x:0:0:root:/root:/bin/sh
		nobody:x:65534:65534:nobody:/nonexistent:/bin/false
		alice:x:4711:4712:Alice,,,:$homes/alice:/bin/zsh
		bob:x:4713:4713::$homes/bob:
		dave:x:4715:4715::$homes/dave:/bin/sh
		carol:x:4714:4713::$homes/bob:/bin/sh
		homeless:x:4716:4716::$homes/none:/bin/sh
		lost:x:4717:4799::$homes/bob:/bin/sh
		inside:x:1310721:4713::$homes/bob:/bin/sh
	X
	cat >/etc/group <<-X
		root:x:0:
		nogroup:x:65534:
		alice:x:4712:
		bob:x:4713:carol
		dave:x:4715:
		homeless:x:4716:
	X
	cat >/etc/shadow <<-'X'
		alice:$y$j9T$abc$def:19000:0:99999:7:::
		bob:!:19000:0:99999:7:::
		dave:*:19000:0:99999:7:::
	X
	echo '{"userName":"json","uid":4720,"gid":4720,"disposition":"regular","homeDirectory":"'$homes/json'","shell":"/bin/fish","realName":"<J>"}' >/etc/userdb/json.user
	echo '{"privileged":{"hashedPassword":["$6$x$y","$6$z"]}}' >/etc/userdb/json.user-privileged
	echo '{"groupName":"json","gid":4720,"disposition":"regular"}' >/etc/userdb/json.group
	for file in user user-privileged group; do ln -s json.$file /etc/userdb/4720.$file; done
`

// usersReport is a payload that says all that it sees of bound users, and writes to their homes.
const usersReport = `cd /run/host; for f in home home/* home/*/* userdb userdb/*; do stat -c '%n %F %a %u:%g' $f; readlink $f; done
for f in userdb/*; do [ -L $f ] || { echo "$f:"; cat $f; }; done
touch home/alice/of-root; touch home/alice/of-alice; chown $(stat -c %u:%g home/alice) home/alice/of-alice
touch userdb/new home/new 2>/dev/null && echo writable
while read a b c d point flags rest; do case $point in /run/host/home*) echo "mount $point ${flags%%,*}";; esac; done </proc/self/mountinfo`

// newHomes makes the homes of usersHost.
func newHomes(t *testing.T) string {
	t.Helper()
	homes := t.TempDir()
	mustMount(t, "tmpfs", homes)
	for name, owner := range map[string][2]int{"alice": {4711, 4712}, "bob": {4713, 4713}, "dave": {4715, 4715}, "json": {4720, 4720}} {
		writeFile(t, filepath.Join(homes, name, "file"), name)
		for _, path := range []string{name, name + "/file"} {
			must(t, os.Chown(filepath.Join(homes, path), owner[0], owner[1]))
		}
	}
	writeFile(t, homes+"/alice/of-the-host", "root's")
	return homes
}

func bindUser(t *testing.T, root, homes string, oracle bool, arguments ...string) result {
	t.Helper()
	cmd := nspawn(root, append([]string{"--timezone=off", "--resolv-conf=off", "--private-users=1310720", "--private-users-ownership=auto"}, arguments...)...)
	onHost(t, cmd, usersHost, oracle)
	cmd.Env = append(cmd.Env, "homes="+homes)
	t.Cleanup(func() { must(t, os.RemoveAll("/run/userdb")) })
	return finish(t, cmd)
}

// TestBindUser compares with systemd-nspawn what the container knows of bound users, and whose their files are on the host.
func TestBindUser(t *testing.T) {
	root := newRoot(t, "web")
	all := []string{"--bind-user=alice", "--bind-user=bob", "--bind-user=dave", "--bind-user=json"}
	for name, test := range map[string]struct {
		passwd, group string
		options       []string
	}{
		"all":            {options: all},
		"picked":         {options: append([]string{"--private-users=pick"}, all...)},
		"read-only":      {options: append([]string{"--read-only"}, all...)},
		"volatile":       {options: append([]string{"--volatile=overlay"}, all...)},
		"again":          {options: []string{"--bind-user=alice", "--bind-user=alice"}},
		"numbers in use": {"x:x:60514:1::/:/bin/sh\nmalformed\n", "y:x:60515:\nmalformed\nz:x:60517:\n", []string{"--bind-user=bob", "--bind-user=alice"}},
		"no database":    {"none", "none", []string{"--bind-user=alice"}},
	} {
		t.Run(name, func(t *testing.T) {
			writeDatabase(t, root, test.passwd, test.group)
			var results [2]string
			for i, oracle := range []bool{false, true} {
				homes := newHomes(t)
				r := bindUser(t, root, homes, oracle, append(test.options, "/bin/sh", "-c", usersReport)...)
				if r.status != 0 {
					t.Errorf("status %d: %s", r.status, r.stderr)
				}
				lines := strings.Split(r.stdout, "\n")
				slices.Sort(lines)
				results[i] = strings.Join(slices.Compact(lines), "\n") + digest(t, homes+"/alice") // it mounts twice
			}
			if results[0] != results[1] {
				t.Errorf("nspawn-exec:\n%s\nsystemd-nspawn:\n%s", results[0], results[1])
			}
			if !strings.Contains(results[0], "/of-alice -rw-r--r-- 4711:4712") || !strings.Contains(results[0], `"hashedPassword":["$y$j9T$abc$def"]`) {
				t.Errorf("not bound: %s", results[0])
			}
		})
	}
}

// writeDatabase gives the image a user database: "none" for no file.
func writeDatabase(t *testing.T, root, passwd, group string) {
	t.Helper()
	for name, content := range map[string]string{"passwd": passwd, "group": group} {
		must(t, os.RemoveAll(root+"/etc/"+name))
		if content != "none" {
			writeFile(t, root+"/etc/"+name, content)
		}
	}
}

// What systemd-nspawn refuses, and we with the option and the user named.
func TestBindUserRefused(t *testing.T) {
	root := newRoot(t, "web")
	homes := newHomes(t)
	for name, test := range map[string]struct {
		passwd, group string
		options       []string
		texts         []string
	}{
		"no user namespace": {options: []string{"--private-users=no", "--bind-user=bob"}, texts: []string{"--bind-user", "user namespace", "--private-users"}},
		"root":              {options: []string{"--bind-user=root"}, texts: []string{"--bind-user: user root", "root cannot be bound"}},
		"nobody":            {options: []string{"--bind-user=nobody"}, texts: []string{"user nobody"}},
		"unknown":           {options: []string{"--bind-user=stranger"}, texts: []string{"user stranger", "the host does not know it"}},
		"no own group":      {options: []string{"--bind-user=carol"}, texts: []string{"user carol", "its group is bob"}},
		"group unknown":     {options: []string{"--bind-user=lost"}, texts: []string{"user lost", "group 4799"}},
		"no home":           {options: []string{"--bind-user=homeless"}, texts: []string{"--bind-user", "home of user homeless", homes + "/none"}},
		"of the container":  {options: []string{"--bind-user=inside"}, texts: []string{"user inside", "1310721", "1310720 to 1376255"}},
		"identity":          {options: []string{"--private-users=identity", "--bind-user=bob"}, texts: []string{"user bob", "4713", "0 to 65535"}},
		"few users":         {options: []string{"--private-users=1310720:5000", "--bind-user=bob"}, texts: []string{"user bob", "60514 to 60577", "5000 users"}},
		"name taken":        {passwd: "bob:x:7:7::/:\n", options: []string{"--bind-user=bob"}, texts: []string{"user bob", "the container has a user of that name"}},
		"group taken":       {group: "bob:x:7:\n", options: []string{"--bind-user=bob"}, texts: []string{"user bob", "the container has a group of that name"}},
		"all numbers taken": {passwd: manyUsers(), options: []string{"--bind-user=bob"}, texts: []string{"user bob", "is free"}},
	} {
		t.Run(name, func(t *testing.T) {
			writeDatabase(t, root, test.passwd, test.group)
			arguments := append(test.options, "/bin/echo", "payload runs")
			refused(t, bindUser(t, root, homes, false, arguments...), test.texts...)
			if r := bindUser(t, root, homes, true, arguments...); r.status == 0 {
				t.Errorf("systemd-nspawn starts: %s", r.stderr)
			}
			clean(t, root, homes)
		})
	}
	refused(t, run(t, root, "--bind-user-shell=yes", "/bin/true"), "--bind-user-shell", "without --bind-user=")
	refused(t, run(t, root, "--bind-user-group=wheel", "/bin/true"), "--bind-user-group", "without --bind-user=")
}

func manyUsers() string {
	var text strings.Builder
	for id := 60514; id <= 60577; id++ {
		text.WriteString("user:x:" + strconv.Itoa(id) + ":0::/:\n")
	}
	return text.String()
}

// What is newer than systemd-nspawn 252: shells, groups, keys for SSH.
func TestBindUserRecords(t *testing.T) {
	root := newRoot(t, "web")
	homes := newHomes(t)
	const report = "cat /run/host/userdb/alice.user /run/host/userdb/*.membership 2>/dev/null; cd /run/host/userdb; stat -c '%n %a %u:%g' *.membership 2>/dev/null; true"
	for name, test := range map[string]struct{ options, want string }{
		"default":       {"", `"service":"io.systemd.NSpawn"}` + "\n"},
		"the host's":    {"--bind-user-shell=yes", `"service":"io.systemd.NSpawn","shell":"/bin/zsh"}` + "\n"},
		"another":       {"--bind-user-shell=/bin/dash", `"service":"io.systemd.NSpawn","shell":"/bin/dash"}` + "\n"},
		"without again": {"--bind-user-shell=no", `"service":"io.systemd.NSpawn"}` + "\n"},
		"groups": {"--bind-user-group=wheel --bind-user-group=adm --bind-user-group=wheel",
			`"service":"io.systemd.NSpawn","memberOf":["wheel","adm"]}` + "\n{}\n{}\nalice:adm.membership 644 0:0\nalice:wheel.membership 644 0:0\n"},
	} {
		t.Run(name, func(t *testing.T) {
			options := append([]string{"--bind-user=alice"}, strings.Fields(test.options)...)
			r := bindUser(t, root, homes, false, append(options, "/bin/sh", "-c", report)...)
			if _, got, _ := strings.Cut(r.stdout, `"/run/host/home/alice",`); got != test.want || r.status != 0 {
				t.Errorf("status %d, %q, want %q: %s", r.status, got, test.want, r.stderr)
			}
		})
	}
}

// The file of the container does the same, and an untrusted one nothing.
func TestBindUserInFile(t *testing.T) {
	root := newRoot(t, "web")
	homes := newHomes(t)
	writeFile(t, "/run/systemd/nspawn/web.nspawn", "[Files]\nBindUser=alice bob\nBindUserShell=yes\n")
	t.Cleanup(func() { must(t, os.RemoveAll("/run/systemd/nspawn/web.nspawn")) })
	r := bindUser(t, root, homes, false, "--settings=override", "/bin/sh", "-c", "cat /run/host/home/*/file /run/host/userdb/alice.user")
	if !strings.HasPrefix(r.stdout, "alicebob{") || !strings.Contains(r.stdout, `"shell":"/bin/zsh"`) {
		t.Errorf("status %d, %q: %s", r.status, r.stdout, r.stderr)
	}
	writeFile(t, "/run/systemd/nspawn/web.nspawn", "[Files]\n\nBindUser=stranger\n")
	refused(t, bindUser(t, root, homes, false, "--settings=override", "/bin/echo", "payload runs"), "/run/systemd/nspawn/web.nspawn:3: user stranger")
	must(t, os.Remove("/run/systemd/nspawn/web.nspawn"))
	clean(t, root, homes)
}
