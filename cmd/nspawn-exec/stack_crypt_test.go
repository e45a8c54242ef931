package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Images that are verified or encrypted, with what says so beside them or where their links lead to.
func TestStackCrypt(t *testing.T) {
	verified, hashes, rootHash := verityImage(t)
	encrypted, plain := encryptedImage(t)
	credentials := t.TempDir()
	writeFile(t, credentials+"/dissect.passphrase", "secret")
	_, log, environment := newMapper(t, "TEST_PLAIN="+plain, "CREDENTIALS_DIRECTORY="+credentials)
	inside := newImageStack(t, map[string]string{"bind@srv.raw": encrypted}, "rw")
	command(t, "cp", verified, inside+"/layer@0.raw")
	command(t, "cp", hashes, inside+"/layer@0.verity")
	writeFile(t, inside+"/layer@0.roothash", rootHash)
	linked := newImageStack(t, map[string]string{"layer@0.raw": verified, "bind@srv.raw": encrypted}, "rw")
	beside := strings.TrimSuffix(verified, ".raw")
	command(t, "cp", hashes, beside+".verity")
	writeFile(t, beside+".roothash", rootHash)
	run := func(stack string, payload ...string) result {
		_ = os.Remove(log)
		cmd := mstack(stack, append([]string{"--private-users=pick"}, payload...)...)
		cmd.Env = environment
		r := finish(t, cmd)
		links, _ := filepath.Glob("/dev/mapper/nspawnkit-*")
		for _, link := range links {
			must(t, os.Remove(link))
		}
		for _, image := range []string{stack + "/layer@0.raw", verified, encrypted, plain} {
			waitNoLoops(t, image)
		}
		clean(t, stack)
		return r
	}
	for _, stack := range []string{inside, linked} {
		r := run(stack, "/bin/sh", "-c", "cat /etc/inside /srv/etc/inside; touch /new /srv/new && echo written")
		used, _ := os.ReadFile(log)
		if r.stdout != "of the image\nof the image\nwritten\n" || !strings.Contains(string(used), "veritysetup open") || !strings.Contains(string(used), "cryptsetup open") {
			t.Errorf("%q %s\n%s", r.stdout, r.stderr, used)
		}
	}
	writeFile(t, inside+"/layer@0.roothash", strings.Repeat("ab", 32))
	refused(t, run(inside, "/bin/echo", "payload runs"), "--mstack", inside+"/layer@0.raw", "veritysetup open")
}

// What a partition of a layer keeps from the container, an overlay of it does, too.
func TestStackBootPartition(t *testing.T) {
	tree := newMergedRoot(t, "tree")
	mkdir(t, tree+"/boot")
	boot := mkdir(t, filepath.Join(t.TempDir(), "boot"))
	disk := newDisk(t, filepath.Join(t.TempDir(), "disk.raw"), "dos", section{"type=83, bootable", "ext4", tree}, section{"type=ea", "ext4", boot})
	for _, users := range users {
		stack := newImageStack(t, map[string]string{"layer@0.raw": disk}, "rw")
		script := "while read a b c d place options rest; do case $place in /boot) echo $options;; esac; done </proc/self/mountinfo; touch /new /boot/new && echo written"
		if got := stackShell(t, stack, script, "--private-users="+users); !strings.HasPrefix(got, "rw,nosuid,nodev,noexec") || !strings.HasSuffix(got, "\nwritten") {
			t.Errorf("%s: %q", users, got)
		}
		waitNoLoops(t, disk)
		clean(t, stack)
	}
}
