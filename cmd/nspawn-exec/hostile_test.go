package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// hostileFiles are what an image may have in the place of a file.
var hostileFiles = map[string]func(t *testing.T, path string){
	"FIFO":      func(t *testing.T, path string) { must(t, syscall.Mkfifo(path, 0o644)) },
	"socket":    func(t *testing.T, path string) { must(t, syscall.Mknod(path, syscall.S_IFSOCK|0o666, 0)) },
	"directory": func(t *testing.T, path string) { writeFile(t, path+"/file", "content") },
	"device":    func(t *testing.T, path string) { must(t, syscall.Mknod(path, syscall.S_IFCHR|0o666, 5<<8)) }, // /dev/tty
	"disk":      func(t *testing.T, path string) { must(t, syscall.Mknod(path, syscall.S_IFBLK|0o666, 0xfe00)) },
	"cycle":     func(t *testing.T, path string) { must(t, os.Symlink(filepath.Base(path), path)) },
	"long cycle": func(t *testing.T, path string) {
		must(t, os.Symlink("../"+filepath.Base(filepath.Dir(path))+"/./"+filepath.Base(path)+"/..", path))
	},
	"sparse file of 1 TiB": func(t *testing.T, path string) {
		writeFile(t, path, "")
		must(t, os.Truncate(path, 1<<40))
	},
	"file nobody may change": func(t *testing.T, path string) {
		writeFile(t, path, "content")
		command(t, "chattr", "+i", path)
		t.Cleanup(func() { command(t, "chattr", "-i", path) })
	},
	"name of 255 bytes": func(t *testing.T, path string) { must(t, os.Symlink(strings.Repeat("x", 255), path)) },
	"target of 4095 bytes": func(t *testing.T, path string) {
		must(t, os.Symlink(strings.Repeat("../", 1365), path))
	},
}

// quickly runs a container, which must end soon, and returns how.
func quickly(t *testing.T, root string, arguments ...string) result {
	t.Helper()
	begun := time.Now()
	r := run(t, root, arguments...)
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it takes %v", took)
	}
	return r
}

// Nothing that an image has in the place of its resolv.conf or its time zone keeps it from running. systemd-nspawn 252 runs all of
// them but the FIFO, which it waits for.
func TestHostileEtcFiles(t *testing.T) {
	for name, hostile := range hostileFiles {
		t.Run(name, func(t *testing.T) {
			for _, users := range []string{"pick", "no"} {
				root, outside := newRoot(t, "web"), newOutside(t)
				hostile(t, root+"/etc/resolv.conf")
				hostile(t, root+"/etc/localtime")
				for _, modes := range []string{"copy-host bind", "replace-host copy", "bind-host symlink", "delete delete"} {
					resolvConf, timezone, _ := strings.Cut(modes, " ")
					r := quickly(t, root, "--private-users="+users, "--resolv-conf="+resolvConf, "--timezone="+timezone, "/bin/echo", "runs")
					if r.status != 0 || r.stdout != "runs\n" || strings.Count(r.stderr, "\n") > 3 {
						t.Errorf("%s: status %d: %s%s", modes, r.status, r.stdout, r.stderr)
					}
				}
				empty(t, outside)
				clean(t, root)
			}
		})
	}
}

// hostileTrees are images that are refused with a text, or that run (""). systemd-nspawn 252 refuses and runs the same, but that it
// writes out the holes of a copy, copies what is too deep, and starts where etc leads to itself.
var hostileTrees = map[string]struct {
	prepare func(t *testing.T, root string)
	options string
	text    string
}{
	"os-release of 1 TiB":       {hostileAt("sparse file of 1 TiB", "etc/os-release"), "--boot", ""},
	"os-release is a FIFO":      {hostileAt("FIFO", "etc/os-release"), "--boot", ""},
	"os-release is a cycle":     {hostileAt("cycle", "etc/os-release"), "--boot", "os-release"},
	"os-release leads out":      {linkAt("etc/os-release", "/usr/lib/os-release"), "--boot", "os-release"},
	"os-release leads far out":  {linkAt("etc/os-release", "../../../../../../../../usr/lib/os-release"), "--boot", "os-release"},
	"os-release through /proc":  {linkAt("etc/os-release", "/proc/1/root/usr/lib/os-release"), "--boot", "os-release"},
	"etc is a cycle":            {linkAt("etc", "etc"), "--resolv-conf=copy-host", "etc/machine-id"},
	"etc is a FIFO":             {hostileAt("FIFO", "etc"), "--resolv-conf=copy-host", "etc/machine-id"},
	"etc leads to itself":       {linkAt("etc", "/etc/etc"), "--resolv-conf=replace-host", "etc/machine-id"},
	"usr is a cycle":            {linkAt("usr", "../usr"), "", "/usr"},
	"init is a FIFO":            {hostileAt("FIFO", "sbin/init"), "--boot", "execute"},
	"init is a directory":       {hostileAt("directory", "sbin/init"), "--boot", "execute"},
	"init is a cycle":           {hostileAt("cycle", "sbin/init"), "--boot", "execute"},
	"init is empty":             {hostileAt("sparse file of 1 TiB", "sbin/init"), "--boot", "execute"},
	"proc is a FIFO":            {hostileAt("FIFO", "proc"), "", "/proc"},
	"sys is a cycle":            {linkAt("sys", "sys"), "", "/sys"},
	"run is a socket":           {hostileAt("socket", "run"), "", "/run"},
	"dev is a file":             {hostileAt("sparse file of 1 TiB", "dev"), "", "/dev"},
	"tmp is a device":           {hostileAt("device", "tmp"), "", "/tmp"},
	"var is a cycle":            {linkAt("var", "var"), "--link-journal=guest", "/var"},
	"journal is a FIFO":         {hostileAt("FIFO", "var/log/journal"), "--link-journal=host", "journal"},
	"bind target is a cycle":    {linkAt("mnt", "mnt"), "--bind=/etc:/mnt/etc:idmap", "/mnt"},
	"bind target is a FIFO":     {hostileAt("FIFO", "mnt"), "--bind=/etc:/mnt:idmap", "/mnt"},
	"bind target below a file":  {hostileAt("sparse file of 1 TiB", "mnt"), "--bind=/etc:/mnt/etc:idmap", "/mnt"},
	"overlay of a FIFO":         {hostileAt("FIFO", "mnt"), "--overlay=+/mnt::/opt", "overlay"},
	"overlay target is a cycle": {linkAt("mnt", "mnt"), "--overlay=+/etc::/mnt", "/mnt"},
	"inaccessible cycle":        {linkAt("mnt", "mnt"), "--inaccessible=/mnt", "/mnt"},
	"new root is a cycle":       {linkAt("mnt", "mnt"), "--pivot-root=/mnt", "/mnt"},
	"new root is a FIFO":        {hostileAt("FIFO", "mnt"), "--pivot-root=/mnt", "/mnt"},
	"deep":                      {nested(1000), "--ephemeral", ""},
	"too deep":                  {nested(2100), "--ephemeral", "nested more than 2048 deep"},
	"immutable":                 {hostileAt("file nobody may change", "mnt"), "--ephemeral", ""},
	"1 TiB of holes":            {hostileAt("sparse file of 1 TiB", "mnt"), "--ephemeral", ""},
	"all special files":         {allSpecial, "--ephemeral", ""},
}

// hostileAt puts one of the hostile files into the place of what is there.
func hostileAt(kind, name string) func(*testing.T, string) {
	return func(t *testing.T, root string) {
		path := filepath.Join(root, name)
		must(t, os.RemoveAll(path))
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		hostileFiles[kind](t, path)
	}
}

func linkAt(name, target string) func(*testing.T, string) {
	return func(t *testing.T, root string) {
		must(t, os.RemoveAll(filepath.Join(root, name)))
		must(t, os.Symlink(target, filepath.Join(root, name)))
	}
}

// nested makes directories one in the other, and two names of one file in the last: their paths are longer than PATH_MAX.
func nested(levels int) func(*testing.T, string) {
	return func(t *testing.T, root string) {
		parent, err := unix.Open(root, unix.O_RDONLY|unix.O_DIRECTORY, 0)
		must(t, err)
		for range levels {
			must(t, unix.Mkdirat(parent, "directory", 0o755))
			child, err := unix.Openat(parent, "directory", unix.O_RDONLY|unix.O_DIRECTORY, 0)
			must(t, err)
			must(t, unix.Close(parent))
			parent = child
		}
		must(t, unix.Mknodat(parent, "one", unix.S_IFREG|0o600, 0))
		must(t, unix.Linkat(parent, "one", parent, "two", 0))
		must(t, unix.Close(parent))
		t.Cleanup(func() { command(t, "rm", "-rf", root+"/directory") }) // which goes deeper than os.RemoveAll
	}
}

func allSpecial(t *testing.T, root string) {
	t.Helper()
	for name, hostile := range hostileFiles {
		must(t, os.MkdirAll(filepath.Join(root, "srv", name), 0o755))
		hostile(t, filepath.Join(root, "srv", name, "file"))
	}
}

// A hostile image runs, or ends in one clear error, within seconds; nothing of it is left.
func TestHostileTree(t *testing.T) {
	for name, test := range hostileTrees {
		t.Run(name, func(t *testing.T) {
			root := newRoot(t, "web")
			writeFile(t, root+"/etc/os-release", "ID=test\n")
			writeFile(t, root+"/sbin/init", "#!/bin/sh\necho runs\n")
			must(t, os.Chmod(root+"/sbin/init", 0o755))
			for _, directory := range []string{"mnt", "opt"} {
				must(t, os.Mkdir(filepath.Join(root, directory), 0o755))
			}
			test.prepare(t, root)
			options := strings.Fields(strings.ReplaceAll(test.options, "ROOT", root))
			payload := []string{"/bin/echo", "runs"}
			if test.options == "--boot" {
				payload = nil
			}
			r := quickly(t, root, append(options, payload...)...)
			if test.text == "" {
				if r.status != 0 || r.stdout != "runs\n" {
					t.Errorf("status %d: %s%s", r.status, r.stdout, r.stderr)
				}
			} else {
				refused(t, r, test.text)
				if strings.Contains(r.stdout, "runs") || strings.Count(r.stderr, "\n") != 1 || len(r.stderr) > 1000 {
					t.Errorf("%s%.2000s", r.stdout, r.stderr)
				}
			}
			clean(t, root)
		})
	}
}

// What a container does to the copy that it runs from does not keep the copy from being removed.
func TestHostileCopy(t *testing.T) {
	root := newRoot(t, "web")
	for _, users := range []string{"pick", "no"} {
		if got := shell(t, root, "/bin/payload deep 3000; echo made", "-x", "--private-users="+users); got != "made" {
			t.Errorf("got %q", got)
		}
		clean(t, root)
	}
}

// Files with extended attributes of all sizes and kinds are copied with them.
func TestManyExtendedAttributes(t *testing.T) {
	needKernel(t)
	for fstype, largest := range map[string]int{"xfs": 60_000, "btrfs": 8_000, "ext4": 3_000} {
		t.Run(fstype, func(t *testing.T) {
			disk := filepath.Join(t.TempDir(), "disk")
			newFileSystem(t, fstype, disk)
			root := filepath.Join(disk, "web")
			command(t, "cp", "-a", newMergedRoot(t, "web"), disk)
			large, many := root+"/usr/large", root+"/usr/many"
			writeFile(t, large, "content")
			writeFile(t, many, "content")
			must(t, unix.Setxattr(large, "user.large", make([]byte, largest), 0))
			for i := range 25 {
				must(t, unix.Setxattr(many, fmt.Sprintf("user.%d-%s", i, strings.Repeat("n", 60)), []byte{byte(i)}, 0))
			}
			for _, name := range []string{"trusted.overlay.opaque", "trusted.overlay.redirect", "security.test", "security.ima"} {
				must(t, unix.Setxattr(many, name, []byte("y"), 0))
			}
			must(t, unix.Setxattr(root+"/var", "trusted.overlay.opaque", []byte("y"), 0))
			c := begin(t, root, append([]string{"-x"}, sleeper...)...)
			copied := copyOf(t, disk+"/.#machine.web*")
			for _, name := range []string{"/usr/large", "/usr/many", "/var"} {
				if want, got := attributesOf(t, root+name), attributesOf(t, copied+name); got != want {
					t.Errorf("%s: %.200q, want %.200q", name, got, want)
				}
			}
			c.signal(syscall.SIGTERM)
			c.wait()
			clean(t, root, disk)
		})
	}
}

// attributesOf lists all extended attributes of a file.
func attributesOf(t *testing.T, path string) string {
	t.Helper()
	return command(t, "getfattr", "--absolute-names", "-d", "-m", "-", "-e", "hex", path)[len("# file: ")+len(path):]
}

// Space or inodes run out while a tree is copied: one error that names the file, and the half copy is gone.
func TestHalfCopyOnFullFileSystem(t *testing.T) {
	needKernel(t)
	for name, limit := range map[string]string{"space": "size=24m", "inodes": "size=100m,nr_inodes=200"} {
		for _, options := range []string{"--ephemeral", "--template=TEMPLATE --directory=NEW"} {
			t.Run(name+" "+options, func(t *testing.T) {
				disk := filepath.Join(t.TempDir(), "disk")
				must(t, os.Mkdir(disk, 0o755))
				command(t, "mount", "-t", "tmpfs", "-o", limit, "test", disk)
				t.Cleanup(func() { command(t, "umount", disk) })
				command(t, "cp", "-a", newMergedRoot(t, "web"), disk)
				root := filepath.Join(disk, "web")
				must(t, os.WriteFile(root+"/usr/large", make([]byte, 8<<20), 0o600))
				for i := range 60 {
					writeFile(t, fmt.Sprintf("%s/usr/many/%d", root, i), "")
				}
				replaced := strings.NewReplacer("TEMPLATE", root, "NEW", disk+"/new").Replace(options)
				r := quickly(t, root, append(strings.Fields(replaced), "/bin/echo", "payload runs")...)
				option, _, _ := strings.Cut(options, "=")
				refused(t, r, option, "no space left")
				if strings.Count(r.stderr, "\n") != 1 {
					t.Errorf("more than one line: %s", r.stderr)
				}
				if left, _ := filepath.Glob(disk + "/*"); len(left) != 1 {
					t.Errorf("there are %q", left)
				}
				clean(t, root, disk)
			})
		}
	}
}
