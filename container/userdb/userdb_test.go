package userdb

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func newHost() fstest.MapFS {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	return fstest.MapFS{
		"etc/passwd": file("root:x:0:0::/root:/bin/sh\nmalformed\nshort:x:1:1\nnumber:x:a:1::/:\nann:x:1000:1001:A,,:/home/ann:/bin/sh\nboth:x:7:7::/plain:\n"),
		"etc/shadow": file("root:*:1\nann:$y$1:1\nlocked:!$y$2:1\nempty::1\nnever:!*:1\n"),
		"etc/group":  file("root:x:0:\nann:x:1001:\n"),
		"etc/userdb/jo.user": file(`{"userName":"jo","uid":2000,"disposition":"regular","homeDirectory":"/wrong","privileged":{"hashedPassword":["old"]},
			"binding":{"ID":{"uid":2001,"gid":2002,"homeDirectory":"/srv/jo"},"OTHER":{"uid":1}}}`),
		"etc/userdb/jo.user-privileged": file(`{"privileged":{"hashedPassword":["a","!b"],"sshAuthorizedKeys":["ssh-ed25519 <A>"]}}`),
		"usr/lib/userdb/jo.user":        file(`{"userName":"jo","uid":1}`),
		"run/userdb/min.user":           file(`{"userName":"min","uid":3000}`),
		"run/userdb/2002.group":         file(`{"groupName":"jo","gid":2002,"disposition":"regular"}`),
		"run/userdb/2003.group":         file(`{"groupName":"jo","gid":2002}`),
		"run/userdb/broken.user":        file(`{`),
		"run/userdb/other.user":         file(`{"userName":"another","uid":3001}`),
		"run/userdb/none.user":          file(`{"userName":"none"}`),
		"run/userdb/both.user":          file(`{"userName":"both","uid":8}`),
	}
}

func noGetent(database, key string) (string, error) { return "", fs.ErrNotExist }

func TestUser(t *testing.T) {
	database := Database{Root: newHost(), Getent: noGetent, MachineID: "ID"}
	for name, want := range map[string]User{
		"ann":  {Name: "ann", UID: 1000, GID: 1001, Home: "/home/ann", Shell: "/bin/sh", Passwords: []string{"$y$1"}},
		"root": {Name: "root", Home: "/root", Shell: "/bin/sh"},
		"both": {Name: "both", UID: 7, GID: 7, Home: "/plain"},
		"jo": {Name: "jo", UID: 2001, GID: 2002, Disposition: "regular", Home: "/srv/jo", Passwords: []string{"a", "!b"},
			SSHKeys: []byte(`["ssh-ed25519 <A>"]`)},
		"min": {Name: "min", UID: 3000, GID: 3000, Home: "/home/min"},
	} {
		if got, err := database.User(name); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, want)
		}
	}
	for name, text := range map[string]string{
		"short": "malformed", "number": "malformed", "broken": "run/userdb/broken.user", "other": "another", "none": "no UID",
	} {
		if _, err := database.User(name); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v, want %q", name, err, text)
		}
	}
	if _, err := database.User("malformed2"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("unknown: %v", err)
	}
}

// What says that no password matches is none; what is locked stays locked.
func TestPasswords(t *testing.T) {
	database := Database{Root: newHost(), Getent: noGetent}
	for name, want := range map[string][]string{"ann": {"$y$1"}, "root": nil, "locked": {"!$y$2"}, "empty": {""}, "never": nil, "unknown": nil} {
		if got, err := database.passwords(name); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
}

// What a user of a container's own files starts with, also by number; nothing of the files is executed.
func TestAccount(t *testing.T) {
	files := newHost()
	files["etc/group"].Data = []byte("root:x:0:\nann:x:1001:\nwheel:x:10:root,ann\nbad:x:y:ann\nshort:ann\nstaff:x:50:\nann2:x:11:annie\ntwice:x:10:ann\n")
	files["run/userdb/4000.user"] = &fstest.MapFile{Data: []byte(`{"userName":"rec","uid":4000,"shell":"/bin/ash","memberOf":["staff","none"]}`)}
	files["run/userdb/rec.user"] = files["run/userdb/4000.user"]
	files["run/userdb/4001.user"] = files["run/userdb/4000.user"]
	files["etc/passwd"].Data = append(files["etc/passwd"].Data, "nil:x:4294967295:1::/:\n"...)
	database := Database{Root: files}
	ann := Account{Name: "ann", UID: 1000, GID: 1001, Groups: []uint32{10}, Home: "/home/ann", Shell: "/bin/sh"}
	rec := Account{Name: "rec", UID: 4000, GID: 4000, Groups: []uint32{50}, Home: "/home/rec", Shell: "/bin/ash"}
	for key, want := range map[string]Account{"ann": ann, "1000": ann, "01000": ann, "rec": rec, "4000": rec} {
		if got, err := database.Account(key); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v; want %+v", key, got, err, want)
		}
	}
	for key, text := range map[string]string{"short": "malformed", "1": "malformed", "4001": "record", "nil": "not a user", "anne": "not exist", "77": "not exist"} {
		if _, err := database.Account(key); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v, want %q", key, err, text)
		}
	}
}

func TestGroup(t *testing.T) {
	database := Database{Root: newHost(), Getent: noGetent}
	for gid, want := range map[uint32]Group{1001: {Name: "ann", GID: 1001}, 2002: {Name: "jo", GID: 2002, Disposition: "regular"}} {
		if got, err := database.Group(gid); err != nil || got != want {
			t.Errorf("%d: %+v, %v", gid, got, err)
		}
	}
	if _, err := database.Group(4); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("unknown: %v", err)
	}
	if _, err := database.Group(2003); err == nil {
		t.Error("the record of another group is taken")
	}
}

// Users that neither files nor records have come from the C library.
func TestGetent(t *testing.T) {
	lines := map[string]string{"passwd net": "net:x:5000:5000::/home/net:/bin/sh", "shadow net": "net:$6$x:1", "group 5000": "net:x:5000:"}
	database := Database{Root: newHost(), Getent: func(database, key string) (string, error) {
		line, ok := lines[database+" "+key]
		if !ok {
			return "", fmt.Errorf("%s: %w", key, fs.ErrNotExist)
		}
		return line, nil
	}}
	want := User{Name: "net", UID: 5000, GID: 5000, Home: "/home/net", Shell: "/bin/sh", Passwords: []string{"$6$x"}}
	if got, err := database.User("net"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := database.Group(5000); err != nil || got.Name != "net" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestFiles(t *testing.T) {
	user := User{Name: "jo", Passwords: []string{"$1<"}, SSHKeys: []byte(`["k"]`)}
	files, err := Files(user, Group{Name: "jo"}, 60514, "/run/host/home/jo", "/bin/sh", []string{"adm"})
	want := []File{
		{Name: "jo.group", Mode: 0o644, Content: `{"groupName":"jo","gid":60514,"service":"io.systemd.NSpawn"}` + "\n"},
		{Name: "60514.group", Link: "jo.group"},
		{Name: "jo.user-privileged", Mode: 0o600, Content: `{"privileged":{"hashedPassword":["$1<"],"sshAuthorizedKeys":["k"]}}` + "\n"},
		{Name: "60514.user-privileged", Link: "jo.user-privileged"},
		{Name: "jo.user", Mode: 0o644, Content: `{"userName":"jo","uid":60514,"gid":60514,"homeDirectory":"/run/host/home/jo","service":"io.systemd.NSpawn","shell":"/bin/sh","memberOf":["adm"]}` + "\n"},
		{Name: "60514.user", Link: "jo.user"},
		{Name: "jo:adm.membership", Mode: 0o644, Content: "{}\n"},
	}
	if err != nil || !reflect.DeepEqual(files, want) {
		t.Errorf("%+v, %v", files, err)
	}
}

// FuzzTaken: a number that a line of an image has is never handed out.
func FuzzTaken(f *testing.F) {
	f.Add("x:x:60514:0::/:\n", "y:x:60515:\nbad\n:::\n")
	f.Fuzz(func(t *testing.T, passwd, group string) {
		taken := NewTaken([]byte(passwd), []byte(group))
		id, ok := taken.Free(FirstID + 3)
		if ok && (id < FirstID || id >= FirstID+3 || strings.Contains(passwd, fmt.Sprintf("\nx:x:%d:", id))) {
			t.Errorf("%d is handed out", id)
		}
		if next, more := taken.Free(FirstID + 3); more && next <= id {
			t.Errorf("%d after %d", next, id)
		}
	})
}

// FuzzAccount: whatever the files of an image say, only the user that was asked for is found.
func FuzzAccount(f *testing.F) {
	f.Add("root:x:0:0::/root:/bin/sh\nann:x:1000:1001:A:/home/ann:/bin/ash\n", "wheel:x:10:root,ann\nann:x:1001:\n", "ann")
	f.Add("a:b:1:2:c:d:e\n:::::::\nx:x:4294967295:0::/:\n", "g:x:10:ann,\ng:x:10:ann\n", "1")
	f.Fuzz(func(t *testing.T, passwd, group, key string) {
		database := Database{Root: fstest.MapFS{"etc/passwd": {Data: []byte(passwd)}, "etc/group": {Data: []byte(group)}}}
		account, err := database.Account(key)
		if err != nil {
			return
		}
		if account.Name != key && fmt.Sprint(account.UID) != strings.TrimLeft(key, "0") && (strings.Trim(key, "0") != "" || account.UID != 0) {
			t.Errorf("%q finds %+v", key, account)
		}
		for i, gid := range account.Groups {
			if slices.Contains(account.Groups[:i], gid) || gid == 1<<32-1 {
				t.Errorf("groups %v", account.Groups)
			}
		}
	})
}
