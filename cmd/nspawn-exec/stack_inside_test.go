package main_test

import (
	"os"
	"strings"
	"testing"
)

// A path behind "+" is one of the whole stack, with its binds and images, with the owners that the container sees, through links
// inside it only.
func TestStackInside(t *testing.T) {
	for name, test := range map[string]struct {
		options, entries []string
		script, want     string
	}{
		"overlay root": {[]string{"--bind=+/etc:/mnt"}, []string{"rw"}, "cat /mnt/layer; stat -c %u /mnt /mnt/layer; echo x >/mnt/new && cat /etc/new", "0\n0\n0\nx"},
		"link":         {[]string{"--bind=+/link:/mnt"}, []string{"rw"}, "cat /mnt/layer", "0"},
		"file":         {[]string{"--bind-ro=+/etc/layer:/mnt/file"}, []string{"rw"}, "cat /mnt/file; echo x 2>/dev/null >/mnt/file || echo protected", "0\nprotected"},
		"bind":         {[]string{"--bind=+/srv:/mnt:rbind"}, []string{"rw", "bind@srv", "bind@srv-in"}, "echo x >/mnt/in/new && cat /srv/in/new; stat -c %u /mnt/in/new", "x\n0"},
		"image":        {[]string{"--bind=+/opt/data:/mnt/data"}, []string{"rw", "robind@opt.raw"}, "cat /mnt/data; stat -c %u /mnt/data", "opt\n0"},
		"overlay":      {[]string{"--overlay=+/etc::/mnt"}, []string{"rw"}, "cat /mnt/layer; touch /mnt/new && stat -c %u /mnt/new; ls /etc/new 2>/dev/null || echo not there", "0\n0\nnot there"},
		"overlay host": {[]string{"--overlay=+/etc:HOST:/mnt"}, []string{"bind@etc"}, "echo x >/mnt/new && cat /mnt/new /mnt/bound", "x\nbound"},
		"overlay-ro":   {[]string{"--overlay-ro=+/etc:+/srv:/mnt"}, []string{"rw", "layer@1/srv/dir"}, "cat /mnt/layer; ls -d /mnt/dir; touch /mnt/x 2>/dev/null || echo protected", "0\n/mnt/dir\nprotected"},
		"not written":  {[]string{"--bind=+/etc:/mnt", "--bind=+/srv:/opt"}, []string{"bind@srv"}, "cat /mnt/layer; touch /opt/x && echo written; touch /mnt/x 2>/dev/null || echo protected", "0\nwritten\nprotected"},
		"volatile":     {[]string{"--volatile=overlay", "--bind=+/etc:/mnt"}, []string{"rw"}, "cat /mnt/layer; touch /mnt/x 2>/dev/null || echo protected", "0\nprotected"},
		"pivot":        {[]string{"--pivot-root=/deploy:/srv", "--bind=+/srv/etc:/mnt", "--bind=+/etc:/opt"}, []string{"rw"}, "cat /mnt/layer; cat /opt/deployed", "0\nyes"},
	} {
		for _, users := range users {
			t.Run(name+"/"+users, func(t *testing.T) {
				host := mkdir(t, t.TempDir()+"/host")
				must(t, os.Chmod(host, 0o777))
				var directories []string
				for _, entry := range test.entries {
					if !strings.HasSuffix(entry, ".raw") {
						directories = append(directories, entry)
					}
				}
				stack := newStack(t, "web", directories...)
				if name == "image" {
					must(t, os.Symlink(dataImage(t, "ext4", "data", "opt"), stack+"/robind@opt.raw"))
				}
				if name == "overlay host" {
					writeFile(t, stack+"/bind@etc/bound", "bound\n")
				}
				must(t, os.Symlink("/etc", stack+"/layer@0/link"))
				for _, directory := range []string{"mnt", "opt", "srv"} {
					_ = os.Mkdir(stack+"/layer@0/"+directory, 0o755)
				}
				if name == "pivot" {
					mkdir(t, stack+"/layer@0/deploy")
					command(t, "sh", "-c", "cd "+stack+"/layer@0 && cp -a bin lib usr etc mnt opt srv deploy/")
					writeFile(t, stack+"/layer@0/deploy/etc/deployed", "yes\n")
				}
				options := []string{"--private-users=" + users}
				for _, option := range test.options {
					options = append(options, strings.ReplaceAll(option, "HOST", host))
				}
				before := digest(t, stack+"/layer@0")
				if got := stackShell(t, stack, test.script, options...); got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
				if got := digest(t, stack+"/layer@0"); got != before {
					t.Errorf("a layer changed:\n%s", firstDifference(before, got))
				}
				clean(t, stack)
			})
		}
	}
}

// The journal of the host is there in a stack; where there is none, only "host" makes it.
func TestStackJournal(t *testing.T) {
	const host = "/var/log/journal/" + guestID
	for name, test := range map[string]struct {
		option string
		exists bool
		want   string
	}{
		"host":        {"host", false, "bound"},
		"host, there": {"host", true, "bound"},
		"try-host":    {"try-host", true, "bound"},
		"auto":        {"auto", true, "bound"},
		"auto, none":  {"auto", false, "own"},
		"try-guest":   {"try-guest", true, "own"},
		"no":          {"no", true, "none"},
	} {
		for _, users := range users {
			t.Run(name+"/"+users, func(t *testing.T) {
				must(t, os.RemoveAll(host))
				must(t, os.MkdirAll("/var/log/journal", 0o755))
				t.Cleanup(func() { must(t, os.RemoveAll(host)) })
				if test.exists {
					mkdir(t, host)
				}
				stack := newStack(t, "web", "rw")
				script := "if touch " + host + "/new 2>/dev/null; then echo bound; elif test -d /var/log/journal; then echo own; else echo none; fi"
				if got := stackShell(t, stack, script, "--link-journal="+test.option, "--private-users="+users, "--uuid="+guestID); got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
				if _, err := os.Stat(host + "/new"); (err == nil) != (test.want == "bound") {
					t.Errorf("on the host: %v", err)
				}
				clean(t, stack)
			})
		}
	}
}
